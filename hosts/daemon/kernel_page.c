/*
 * The kernel page: how sleepers learn that their kernel is gone.
 */
#include "hosts/daemon/berthd.h"

#include "wire/alive_page.h"

#include <unistd.h>

int
kernel_page_new(struct host *host)
{
	struct kernel_page *page;
	int fd = alive_page_new(&page);

	if (fd < 0)
		return fd;
	int error = alive_page_begin(page);
	if (error != 0) {
		alive_page_end(page);
		close(fd);
		return error;
	}
	host->page = page;
	host->page_fd = fd;
	return 0;
}

void
kernel_page_end(struct host *host)
{
	if (host->page == NULL)
		return;
	alive_page_end(host->page);
	close(host->page_fd);
	host->page = NULL;
}
