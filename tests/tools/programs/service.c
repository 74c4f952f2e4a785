/* "check in NAME": checks in and runs the rest of the arguments; "look up NAME": exits with 0
 * if the service is there, with 30 if it is unknown. */
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	mach_port_t port;
	int status;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "look-up") == 0) {
		kern_return_t kr = bootstrap_look_up(bootstrap_port, argv[2], &port);

		return kr == BOOTSTRAP_SUCCESS ? 0 : kr == BOOTSTRAP_UNKNOWN_SERVICE ? 30 : 31;
	}
	if (bootstrap_check_in(bootstrap_port, argv[2], &port) != BOOTSTRAP_SUCCESS)
		return 32;
	pid_t pid = fork();
	if (pid == 0) {
		execv(argv[3], argv + 3);
		_exit(33);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 34;
}
