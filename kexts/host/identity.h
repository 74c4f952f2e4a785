/*
 * Processes and credentials inside the host: what threads remember of the current call.
 */
#ifndef BERTH_KEXTS_HOST_IDENTITY_H
#define BERTH_KEXTS_HOST_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The thread runs for somebody else now: drop its proc_t, its kauth_cred_t. */
void proc_forget_current(void);
void kauth_forget_current(void);

/* What Linux says of a process. */
struct process_facts {
	pid_t pid, ppid;
	uid_t ruid, euid, svuid;
	gid_t rgid, egid, svgid;
	bool ended; /* a zombie, or about to go */
};

/* False: there is no process of that pid (a thread's id is none). */
bool process_facts_read(pid_t pid, struct process_facts *facts);

/* Is @gid among the supplementary groups of process @pid? */
bool process_in_group(pid_t pid, gid_t gid);

/* When it started, in ticks since the machine did; 0: it is not there. */
uint64_t process_start_ticks(pid_t pid);

/* Its short name, at most 16 bytes.  False: it is not there; the name is empty. */
bool process_name_read(pid_t pid, char name[static 17]);

/* As far as it can be told: true. */
bool process_is_64bit(pid_t pid);

#endif
