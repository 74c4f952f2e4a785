/*
 * A kext for the tests of loading, which say what it does: START, STOP (statements that return),
 * IDENTIFIER, VERSION; MORE: what else is in it.
 */
#include <IOKit/IOLib.h>
#include <kern/debug.h>
#include <kern/thread.h>
#include <libkern/OSKextLib.h>
#include <libkern/libkern.h>
#include <mach/kmod.h>
#include <mach/mach_types.h>
#include <stdlib.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/systm.h>
#include <unistd.h>

#ifndef IDENTIFIER
#define IDENTIFIER com.example.subject
#endif
#ifndef VERSION
#define VERSION "1.0"
#endif
#ifndef START
#define START return KERN_SUCCESS
#endif
#ifndef STOP
#define STOP return KERN_SUCCESS
#endif

#ifdef MORE
MORE;
#endif

int crash_here(void);
int hang_here(void);
int same_name(void);
int start_thread(void);
int start_threads(void);
int register_control(void);
int post_event(void);
int take_memory(void);
kern_return_t subject_start(kmod_info_t *ki, void *data);
kern_return_t subject_stop(kmod_info_t *ki, void *data);

__attribute__((noinline)) int
crash_here(void)
{
	*(volatile int *)16 = 1;
	return KERN_FAILURE;
}

__attribute__((noinline)) int
hang_here(void)
{
	for (;;)
		pause();
}

/* Each kext has one: its own is what it calls. */
int
same_name(void)
{
	return sizeof(VERSION);
}

static void
thread_main(void *argument, wait_result_t result)
{
	(void)argument;
	(void)result;
	usleep(100000);
	crash_here();
}

int
start_thread(void)
{
	thread_t thread;

	return kernel_thread_start(thread_main, NULL, &thread);
}

static void
thread_waits(void *argument, wait_result_t result)
{
	(void)argument;
	(void)result;
	hang_here();
}

int
start_threads(void)
{
	thread_t thread;

	for (int i = 0; i < 500; i++)
		if (kernel_thread_start(thread_waits, NULL, &thread) != KERN_SUCCESS)
			return KERN_FAILURE;
	return KERN_SUCCESS;
}

static errno_t
connect_client(kern_ctl_ref ref, struct sockaddr_ctl *address, void **info)
{
	(void)ref;
	(void)address;
	*info = NULL;
	return 0;
}

int
register_control(void)
{
	static kern_ctl_ref ref;
	struct kern_ctl_reg reg = { .ctl_name = "com.example.control",
				    .ctl_connect = connect_client };

	return ctl_register(&reg, &ref);
}

int
post_event(void)
{
	struct kev_msg event = { .kev_class = 7, .kev_subclass = 8, .event_code = 9 };
	char data[] = "abc";

	event.dv[0].data_ptr = data;
	event.dv[0].data_length = 3;
	if (kev_vendor_code_find("com.example.vendor", &event.vendor_code) != 0)
		return KERN_FAILURE;
	return kev_msg_post(&event);
}

int
take_memory(void)
{
	for (int i = 0; i < 256; i++) {
		char *block = malloc(1 << 20);

		if (!block)
			return 12;
		for (int at = 0; at < 1 << 20; at += 4096)
			((volatile char *)block)[at] = 1;
	}
	return 0;
}

__attribute__((constructor)) static void
constructed(void)
{
	printf("constructed\n");
}

__attribute__((destructor)) static void
destructed(void)
{
	printf("destructed\n");
}

kern_return_t
subject_start(kmod_info_t *ki, void *data)
{
	printf("start %s %u %s %d\n", OSKextGetCurrentIdentifier(), OSKextGetCurrentLoadTag(),
	       OSKextGetCurrentVersionString(), data == NULL && ki->id > 0);
	START;
}

kern_return_t
subject_stop(kmod_info_t *ki, void *data)
{
	(void)ki;
	(void)data;
	printf("stop\n");
	STOP;
}

#ifdef NO_KMOD
kmod_start_func_t *_realmain = subject_start;
kmod_stop_func_t *_antimain = subject_stop;
extern kmod_start_func_t *_realmain;
extern kmod_stop_func_t *_antimain;
#else
#define DECLARE(name, version, start, stop) KMOD_EXPLICIT_DECL(name, version, start, stop)
DECLARE(IDENTIFIER, VERSION, subject_start, subject_stop)
#endif
