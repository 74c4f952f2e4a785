/*
 * What berthd gives up before it talks to anybody.
 *
 * It needs no privilege to serve: who a peer is Linux says to everybody.  Root keeps three: to
 * write a trace into the pipe of an ordinary user, which it opens anew (trace_out.c); to send
 * descriptors whatever all of root's programs together have under way, which Linux counts as one;
 * and to let processes of others go on that were stopped by who is gone (effects.c).
 */
#include "hosts/daemon/berthd.h"

#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct confine_rule rules[] = {
	CONFINE_ANY(accept4),
	CONFINE_ANY(sendfile),
	CONFINE_ANY(sched_setattr),
	CONFINE_ANY(sched_getattr),
	{ SCMP_SYS(ioctl), 1, { { 1, SCMP_CMP_EQ, SIOCOUTQ, 0 } } },
	/* how much of what we sent a program has read: wire/record_queue.c */
	{ SCMP_SYS(socket),
	  2,
	  { { 0, SCMP_CMP_EQ, AF_NETLINK, 0 }, { 2, SCMP_CMP_EQ, NETLINK_SOCK_DIAG, 0 } } },
	/* a stopped process goes on */
	{ SCMP_SYS(pidfd_send_signal), 1, { { 1, SCMP_CMP_EQ, SIGCONT, 0 } } },
	/* the pipe of a trace */
	CONFINE_BITS(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_WRONLY),
	/* the address, at the end */
	CONFINE_ANY(unlink),
	CONFINE_ANY(rmdir),
};

void
host_confine(const struct host *host)
{
	int error;

	umask(077);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	confine_memory();
	error = confine_capabilities(1ull << CAP_DAC_OVERRIDE | 1ull << CAP_SYS_RESOURCE |
				     1ull << CAP_KILL);
	if (error != 0)
		log_line("cannot give up capabilities: %s", strerror(-error));
	if (!host->options.no_seccomp &&
	    confine_calls("berthd", rules, sizeof(rules) / sizeof(rules[0])) == CONFINE_REFUSED)
		log_line("goes on without a filter of system calls, which Linux refuses: %s",
			 strerror(errno));
}
