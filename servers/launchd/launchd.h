/*
 * berth-launchd: the bootstrap name server.  What its files share.
 *
 * One thread, one loop (main.c).  A *context* is a table of names, with a bootstrap port of
 * its own; contexts form a tree.  A *service* is a name and its port in one context, and
 * belongs to a *job*: a managed one, which was loaded and is started on demand, or an
 * anonymous one, which stands for any other process.
 *
 *                 ┌──────────────── port_destroyed ───────────────┐
 *   declared:   idle ── check in ──► active                       │
 *                ▲                     └── the server ends ───────┘
 *                └── (ResetAtClose: with a new port)
 *   dynamic:    active ── dead_name ──► gone
 *
 * Who asks is read from the audit trailer, what he may see from the port that he asked:
 * nothing in a body says who somebody is.  Functions that fail give a kern_return_t where
 * the answer goes to a client, otherwise -errno.
 */
#ifndef LAUNCHD_LAUNCHD_H
#define LAUNCHD_LAUNCHD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <servers/bootstrap_priv.h>

#include <mach/mach_error.h>

#include "job_config.h"

/* ---- bounds ---------------------------------------------------------------------------- */

#define CONTEXT_DEPTH_MAX 100u /* subsets inside one another */
#define CONTEXTS_MAX 4096u     /* all together */
#define SUBSETS_PER_PROCESS_MAX 1024u
#define SERVICES_PER_ANONYMOUS_MAX 16384u
#define SERVICES_MAX 262144u       /* all together */
#define JOBS_MAX 4096u             /* managed ones */
#define USER_SHARE 4u              /* one user of a system kernel may have so much less */
#define REQUESTS_PER_ROUND 64u     /* served before signals and timers get their turn */
#define REQUEST_SIZE_MAX 4096u     /* bytes; the largest known request has 1084 */
#define SETTLE_NS 1000000000u      /* for the rights of an ended job to come back */
#define START_RETRY_NS 1000000000u /* after fork() failed */
#define STOPPING_MAX_NS 700000000u /* what the server leaves its jobs at its own end */

struct launchd;
struct context;
struct service;
struct job;

/* ---- ports ----------------------------------------------------------------------------- */

enum port_role {
	PORT_ROLE_CONTEXT,  /* requests for a context come here; we receive */
	PORT_ROLE_JOB,      /* the same for one job: its privileged port */
	PORT_ROLE_SERVICE,  /* the port of a service */
	PORT_ROLE_REQUESTOR /* a subset lives as long as this port */
};

/*
 * What a port name means to us.  One name may mean several things: a client may publish
 * whatever it holds.  Part of its owner.
 */
struct port_holder {
	LIST_ENTRY(port_holder) link;
	struct port_record *record; /* NULL: holds nothing */
	enum port_role role;
	void *owner;
};

struct port_record {
	mach_port_t name;
	LIST_HEAD(, port_holder) holders;
};

/* Enter @name with the meaning @role for @owner.  0, -ENOMEM. */
int port_hold(struct launchd *l, struct port_holder *holder, mach_port_t name, enum port_role role,
	      void *owner);
/* Hold @name, of which nothing is held yet, in place of what @holder holds.  0, -ENOMEM. */
int port_hold_instead(struct launchd *l, struct port_holder *holder, mach_port_t name);
/* Forget it.  Touches no right; fine if @holder holds nothing. */
void port_unhold(struct launchd *l, struct port_holder *holder);
mach_port_t port_held(const struct port_holder *holder); /* MACH_PORT_NULL: nothing */
/* NULL: nobody holds it. */
struct port_record *port_find(struct launchd *l, mach_port_t name);
/* The first with that role; NULL: none. */
void *port_find_owner(struct launchd *l, mach_port_t name, enum port_role role);

/* A port whose requests the main loop serves.  Gives the receive right. */
kern_return_t port_new_for_requests(struct launchd *l, mach_port_t *name);
/* A port for a service: gives the receive right and one send right. */
kern_return_t port_new_for_service(mach_port_t *name);
/* Ask for dead_name; again does not hurt. */
kern_return_t port_watch_death(struct launchd *l, mach_port_t name);
/* Ask for port_destroyed, which brings the receive right back. */
kern_return_t port_ask_back(struct launchd *l, mach_port_t name);
/* Ask for no_senders, to come to the port itself, when the send rights of which the
 * @mscount-th was the last to be made are gone. */
kern_return_t port_watch_senders(mach_port_t name, mach_port_mscount_t mscount);
void port_drop_receive(mach_port_t name);
void port_drop_send(mach_port_t name);

/* ---- contexts -------------------------------------------------------------------------- */

enum context_kind { CONTEXT_ROOT, CONTEXT_USER, CONTEXT_SUBSET };

/* What counts against a bound. */
struct usage {
	unsigned contexts, services, jobs;
};

struct context {
	struct launchd *launchd;
	struct context *parent; /* NULL: the root */
	struct context *domain; /* the user's context that this is or lies in, else the root */
	struct usage usage;     /* of a domain: all that lives in it */
	enum context_kind kind;
	uid_t uid;        /* CONTEXT_USER: whose */
	uint32_t made_by; /* CONTEXT_SUBSET: the pid version of who asked for it */
	unsigned depth;
	name_t name;
	bool closing; /* shut down; goes when the last job has ended */
	unsigned pin_count;
	struct port_holder port;
	struct port_holder requestor; /* CONTEXT_SUBSET */
	void *services;               /* tree by name */
	void *per_pid_services;       /* tree by pid and name */
	LIST_HEAD(, service) service_list;
	LIST_HEAD(, context) children;
	LIST_HEAD(, job) jobs;      /* managed */
	LIST_HEAD(, job) anonymous; /* in all contexts also in a tree of launchd's */
	LIST_ENTRY(context) sibling;
};

/* A context below @parent (NULL: the root itself), without a port yet.  NULL: no memory. */
struct context *context_new(struct launchd *l, struct context *parent, enum context_kind kind,
			    uid_t uid);
/* Give it a bootstrap port. */
kern_return_t context_open(struct context *context);
/* Takes the context away, with its services, its jobs and all contexts below. */
void context_shut_down(struct context *context);
/* Frees a closing context that nothing lives in any more. */
void context_collect(struct context *context);
/* Is there room for one more of what @count counts, of which there may be @max in all? */
bool context_has_room(const struct context *context, unsigned all, unsigned count, unsigned max);
/* The subsets that the process with that pid version made, in @context and below. */
unsigned context_count_subsets(const struct context *context, uint32_t made_by);
/* The user's context; NULL: there is none. */
struct context *context_find_user(struct launchd *l, uid_t uid);
/* The same, made on demand.  BOOTSTRAP_NO_MEMORY. */
kern_return_t context_get_user(struct launchd *l, uid_t uid, struct context **context);

/* The service @name here; @pid: 0, or of which process.  NULL: none. */
struct service *context_find_service(struct context *context, const char *name, pid_t pid);
/* What a look-up from @context sees: here or, unless @local, above; not what is hidden. */
struct service *context_look_up(struct context *context, const char *name, pid_t pid, bool local);
int context_add_service(struct context *context, struct service *service); /* 0, -ENOMEM */
void context_remove_service(struct service *service);

/* ---- services -------------------------------------------------------------------------- */

struct service {
	struct context *context;
	struct job *job;
	struct port_holder port; /* we own one user reference of a send right */
	pid_t pid;               /* per-pid services; 0: others */
	bool declared;           /* the receive right is ours, or comes back */
	bool active;             /* somebody else has it */
	bool reset_at_close;
	bool hide_until_check_in;
	enum job_drain drain;
	bool drain_pending; /* came back before we knew how the server ended */
	bool watched;       /* in the demand set */
	LIST_ENTRY(service) in_context;
	LIST_ENTRY(service) in_job;
	name_t name;
};

/* Make a port and hold it under a name for @job: declared, idle. */
kern_return_t service_declare(struct job *job, const struct job_service_config *config,
			      struct service **service);
/* Make a port whose receive right is about to leave: dynamic, active.  @pid as above. */
kern_return_t service_make(struct job *job, const char *name, pid_t pid, struct service **service);
/* Publish @port, a send right of which one reference is consumed on success. */
kern_return_t service_publish(struct job *job, const char *name, pid_t pid, mach_port_t port,
			      struct service **service);
/* The receive right leaves with the next reply. */
kern_return_t service_check_in(struct service *service);
/* The receive right came back. */
void service_returned(struct service *service);
/* Destroy messages if the server crashed and the job says so. */
void service_drain(struct service *service, bool crashed);
/* Takes the name away and drops what we hold of the port. */
void service_remove(struct service *service);
/* In or out of the set of ports whose messages start jobs. */
void service_watch(struct service *service, bool watch);
bool service_is_visible(const struct service *service);

/* ---- jobs ------------------------------------------------------------------------------ */

struct job {
	struct launchd *launchd;
	struct context *context;
	LIST_ENTRY(job) in_context;
	LIST_HEAD(, service) services;
	unsigned service_count;

	/* anonymous jobs: one process, as long as it owns something */
	bool anonymous;
	pid_t pid; /* managed: 0 while it does not run */
	uint32_t pid_version;
	int pid_fd; /* -1: none */
	unsigned pin_count;

	/* managed jobs */
	LIST_ENTRY(job) in_all;
	struct job_config *config;
	uid_t uid;               /* who it runs as, unless the configuration says */
	struct port_holder port; /* its privileged port */
	bool legacy;             /* made by create_server: goes with its last sender */
	bool claimable;          /* the new process has not asked for the port yet */
	bool start_wanted;       /* somebody, or a message, asked for it */
	bool start_at_once;      /* … and not to be throttled */
	bool demanded;           /* it has been wanted by a message at least once */
	bool started, exited;    /* at least once */
	bool removing;           /* goes when the process has ended */
	bool stopping;           /* SIGTERM was ours: no crash */
	int exit_status;         /* as wait(2) gives it */
	uint64_t last_start_ns;
	uint64_t start_at_ns;                 /* throttled until then; 0: not waiting */
	uint64_t settle_ns;                   /* wait so long for rights to come back; 0: no */
	uint64_t kill_at_ns;                  /* SIGKILL; 0: no */
	uint64_t interval_ns;                 /* next StartInterval; 0: none */
	mach_port_t kick_reply, remove_reply; /* send-once rights: answered later */
	struct path_state *paths;             /* paths.c; NULL: none */
};

/* A managed job; takes @config over on success.  Not started: see job_update(). */
kern_return_t job_new(struct context *context, struct job_config *config, uid_t uid,
		      struct job **job);
/* The managed job with that label in the domain of @context; NULL: none. */
struct job *job_find(struct context *context, const char *label);
struct job *job_find_pid(struct launchd *l, pid_t pid);
/* The job of a process: a managed one of @context, an anonymous one; NULL: none yet. */
struct job *job_find_process(struct context *context, const audit_token_t *token);
/* The same, made on demand.  BOOTSTRAP_NO_MEMORY. */
kern_return_t job_get_process(struct context *context, const audit_token_t *token,
			      struct job **job);
/* Release the record; a managed job has ended before.  Answers who waits for that. */
void job_free(struct job *job);
/* Frees an anonymous job that owns nothing. */
void job_collect(struct job *job);
/* The process of an anonymous job has ended. */
void job_anonymous_exited(struct job *job);
/* Start it if it should run and may; otherwise see to it that what should start it does. */
void job_update(struct job *job);
/* For those whose KeepAlive depends on other jobs. */
void job_update_dependents(struct launchd *l);
/* Time has passed. */
void job_tick(struct job *job, uint64_t now_ns);
uint64_t job_next_ns(const struct job *job); /* UINT64_MAX: nothing is due */
void job_demand(struct job *job);
/* A declared service of the job has got its receive right back. */
void job_service_returned(struct job *job);
/* The process has ended with @status. */
void job_exited(struct job *job, int status);
/* SIGTERM, then SIGKILL when its time is over. */
void job_stop(struct job *job);
/* Stop it and take it away; it is gone at once if it does not run. */
void job_remove(struct job *job);
/* All send rights to the privileged port of a job are gone. */
void job_senders_gone(struct job *job);
const char *job_label(const struct job *job, char *buffer, size_t size);
bool job_crashed(const struct job *job);

/* spawn.c: start the process.  Its pid, or -errno. */
pid_t spawn_job(struct job *job);

/* confine.c: the same by a thread that may, once we have given up what our loop does not need. */
pid_t start_job(struct job *job);
void launchd_confine(void);

/* paths.c: WatchPaths, QueueDirectories and KeepAlive's PathState */
int paths_open(struct launchd *l);
int paths_watch(struct job *job); /* 0, -ENOMEM */
void paths_unwatch(struct job *job);
void paths_changed(struct launchd *l); /* the descriptor is readable */
bool paths_queue_is_filled(const struct job *job);
bool paths_state_holds(const struct job *job);

/* demand.c: which ports of jobs that do not run have got a message */
kern_return_t demand_open(struct launchd *l);
void demand_serve(struct launchd *l);

/* notify.c: the kernel's notifications */
kern_return_t notify_open(struct launchd *l);
void notify_serve(struct launchd *l);
/* Take in one notification, which came from the kernel.  Consumes the rights in it. */
void notify_take(struct launchd *l, mach_msg_header_t *message);
bool is_kernel(const audit_token_t *token);

/* ---- the server ------------------------------------------------------------------------ */

LIST_HEAD(job_list, job);

struct launchd {
	bool is_system;  /* a kernel of several users: each has a context of his own */
	uid_t owner_uid; /* may what root may */
	mach_port_t request_set, demand_set, notify_port;
	mach_port_t parent_port; /* the name server above; MACH_PORT_NULL: none */
	int epoll_fd, signal_fd, timer_fd, inotify_fd;
	int port_fds[3]; /* readable when a message waits */
	struct context *root;
	void *ports;          /* tree of port_record */
	void *anonymous;      /* tree of anonymous jobs */
	struct job_list jobs; /* managed */
	struct usage usage;   /* of all domains */
	unsigned subset_serial, legacy_serial;
	bool stopping;
	bool kernel_lost;
	pid_t main_pid; /* of `berth-launchd -- command`; 0: none */
	int main_status;
	uint64_t stop_at_ns;
};

uint64_t now_ns(void);
/* Be told when the process behind @pid_fd ends.  0, -errno. */
int watch_process(struct launchd *l, struct job *job);
/* A receive failed as it never should: the kernel is gone, or we have lost our ports. */
void receive_failed(struct launchd *l, kern_return_t kr);
bool is_privileged(const struct launchd *l, const audit_token_t *token);

/*
 * Read the command line; `optind` is where a command of the caller's begins.  0; 1: done, the help
 * was printed; -EINVAL: the mistake has been told on stderr.
 */
int launchd_options_parse(struct launchd *l, int argc, char **argv);

/* ---- what is said ---------------------------------------------------------------------- */

void log_open(void);
void log_to(int fd); /* not stderr any more */
__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *format, ...);

#endif
