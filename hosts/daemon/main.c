/*
 * berthd: start and end.
 *
 * Everything that can fail for good is done before the first connection is accepted; from
 * then on only a signal, the owner's hang-up or idleness ends the kernel, and the end takes
 * everything along: tasks, the name server, the socket, the lock.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include "wire/host_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void *
heap_alloc(void *context, size_t size_bytes)
{
	return malloc(size_bytes);
}

static void
heap_free(void *context, void *memory, size_t size_bytes)
{
	free(memory);
}

/* As many descriptors as we may have: each task takes three. */
static uint32_t
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > 1u << 24 ? 1u << 24 : (uint32_t)limit.rlim_cur;
}

/* What holds for us and for what we start; confine.c has what holds for us alone. */
static void
prepare(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* deadlines in microseconds, not in 50 of them */
}

/* Signals come as events, so that none interrupts a step.  0, -errno. */
static int
take_signals(struct host *host)
{
	sigset_t set;
	int fd, error;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is an error like others */
	if (host->options.daemonize)
		signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	source_init(&host->signals, SOURCE_SIGNAL, host, NULL);
	error = source_open(&host->signals, fd, EPOLLIN);
	if (error != 0)
		close(fd);
	return error;
}

/* The socket that tasks connect to. */
static int
take_listener(struct host *host)
{
	int fd = host->options.listen_fd, on = 1;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* connections inherit it, so that not even the first message comes without */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
		return -errno;
	source_init(&host->listener, SOURCE_LISTEN, host, NULL);
	return source_open(&host->listener, fd, EPOLLIN);
}

/* The connection of `berth run`, whose end is ours. */
static int
take_control(struct host *host)
{
	int fd = host->options.control_fd, on = 1;
	struct peer *peer;

	if (fd < 0)
		return 0;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	peer = peer_new(host, fd);
	if (peer == NULL)
		return -ENOMEM;
	peer->is_control = true;
	peer->owns = true;
	peer->kind = PEER_TOOL;
	host->control = peer;
	/* the other end's maker is who started us, and the root of the tree that we serve */
	if (credentials_of_socket(peer) == 0)
		host->control_pid = peer->pid;
	credentials_label(peer->pid, peer->label, sizeof(peer->label));
	return 0;
}

static int
make_core(struct host *host)
{
	struct kernel_config config = { .heap = { .alloc = heap_alloc, .free = heap_free } };
	struct host_facts facts;

	host_facts_read(&facts);
	config.facts = (struct kernel_host_facts){
		.memory_bytes = facts.memory_bytes,
		.page_bytes = facts.page_bytes,
		.cpu_count = facts.cpu_count,
		.cpu_max = facts.cpu_max,
		.core_count = facts.core_count,
		.core_max = facts.core_max,
		.quantum_ms = facts.quantum_ms,
		.cpu_type = HOST_CPU_TYPE,
		.cpu_subtype = HOST_CPU_SUBTYPE,
	};
	_Static_assert(sizeof(config.facts.version) == sizeof(facts.version), "copied whole");
	memcpy(config.facts.version, facts.version, sizeof(facts.version));
	if (getrandom(&config.random_seed, sizeof(config.random_seed), 0) !=
	    (ssize_t)sizeof(config.random_seed))
		return -errno;
	host->kernel = kernel_new(&config);
	return host->kernel != NULL ? 0 : -ENOMEM;
}

/* All that a kernel needs but its first task.  The mistake has been told when it fails. */
static int
host_init(struct host *host)
{
	int error;

	TAILQ_INIT(&host->peers);
	TAILQ_INIT(&host->commands);
	LIST_INIT(&host->file_owners);
	LIST_INIT(&host->unshown);
	closer_init(&host->closer);
	kext_log_init(host);
	event_sockets_init(host);
	for (uint32_t i = 0; i < PID_BUCKETS; i++)
		TAILQ_INIT(&host->by_pid[i]);
	host->deadline_ns = host->retry_ns = host->accept_ns = UINT64_MAX;
	host->idle_since_ns = host->first.again_ns = UINT64_MAX;
	host->now_ns = wait_now_ns();
	host->lock_fd = host->page_fd = -1;
	host->leaks_on = host->options.leaks;
	host->descriptor_limit = raise_descriptor_limit();
	host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	host->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	error = host->epoll_fd < 0 ? -errno : 0;
	if (error == 0)
		error = make_core(host);
	if (error == 0)
		error = kernel_page_new(host);
	if (error == 0)
		error = take_signals(host);
	if (error != 0) {
		log_line("cannot start: %s", strerror(-error));
		return error;
	}
	error = address_bind(host); /* tells by itself */
	if (error != 0)
		return error;
	error = take_listener(host);
	if (error == 0)
		error = take_control(host);
	if (error != 0)
		log_line("cannot serve: %s", strerror(-error));
	return error;
}

/* Everything ends, in an order in which nobody sees half of it. */
static void
host_deinit(struct host *host)
{
	struct peer *peer;

	host->ending = true;
	if (host->stop_ns == 0)
		first_task_ask_to_stop(host); /* we failed: it was not served to its end */
	source_close(&host->listener);
	address_unlink(host);
	/* the name server last: what the others held of it goes first */
	TAILQ_FOREACH(peer, &host->peers, link)
	{
		if (peer != host->first.peer)
			peer_end(peer);
	}
	TAILQ_FOREACH(peer, &host->peers, link)
	peer_end(peer);
	while ((peer = TAILQ_FIRST(&host->peers)) != NULL)
		peer_free(peer);
	first_task_stop(host);
	starter_end(host);
	address_unlock(host);
	kernel_page_end(host);
	event_sockets_end(host);
	kext_log_deinit(host);
	if (host->kernel != NULL)
		host->kernel = kernel_free(host->kernel);
	leaks_free(host);
	source_close(&host->signals);
	close(host->epoll_fd);
	if (host->reserve_fd >= 0)
		close(host->reserve_fd);
	free(host->scratch);
}

/* --daemon: the caller goes on when the kernel serves.  The end of the pipe to tell it. */
static int
daemonize(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	setsid();
	if (chdir("/") != 0)
		log_line("cannot leave the folder: %s", strerror(errno));
	return ends[1];
}

/* Standard input and output are nobody's any more; messages still go to standard error. */
static void
tell_ready(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		if (null > 2)
			close(null);
	}
	if (write(fd, "", 1) != 1)
		log_line("nobody waits for the kernel to be ready");
	close(fd);
}

/* No descriptor of ours may get the number of a standard stream that came closed: messages
 * would be written into it, and --daemon closes it. */
static void
occupy_closed_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return;
	}
}

int
main(int argc, char **argv)
{
	static struct host host;
	int ready_fd = -1, error;

	occupy_closed_streams();
	error = options_parse(&host.options, argc, argv);
	if (error != 0)
		return error > 0 ? 0 : 2;
	if (host.options.daemonize) {
		ready_fd = daemonize();
		if (ready_fd < 0) {
			log_line("cannot become a daemon: %s", strerror(-ready_fd));
			return 1;
		}
	}
	prepare();
	source_init(&host.listener, SOURCE_LISTEN, &host, NULL);
	source_init(&host.signals, SOURCE_SIGNAL, &host, NULL);
	error = host_init(&host);
	if (error == 0) {
		if (ready_fd >= 0)
			tell_ready(ready_fd);
		host.first.wanted = !host.options.no_launchd && starter_new(&host) == 0;
		host_confine(&host);
		first_task_start(&host);
		error = host_run(&host);
		if (error != 0)
			log_line("stops: %s", strerror(-error));
	}
	host_deinit(&host);
	return error == 0 ? 0 : 1;
}
