/* The test's side of the page: see linux_faults.h. */
#include "tests/faults/linux_faults.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct linux_faults *
linux_faults_new(void)
{
	char path[] = "/tmp/berth-faults-XXXXXX";
	struct linux_faults *faults = MAP_FAILED;
	int fd = mkstemp(path);

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(*faults)) == 0 && setenv(LINUX_FAULTS_VARIABLE, path, 1) == 0)
		faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (faults != MAP_FAILED)
		return faults;
	unlink(path);
	return NULL;
}

void
linux_faults_free(struct linux_faults *faults)
{
	unlink(getenv(LINUX_FAULTS_VARIABLE));
	munmap(faults, sizeof(*faults));
}
