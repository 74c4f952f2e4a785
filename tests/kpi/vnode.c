/*
 * Files and on whose behalf, as listeners of kauth get them.
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/vnode.h"

#include <sys/kauth.h>
#include <sys/proc.h>
#include <sys/vnode.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An open file in a folder that goes at the test's end. */
struct place {
	char folder[32], path[64];
	int fd;
};

static int
place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->folder, "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/program", place->folder);
	place->fd = open(place->path, O_CREAT | O_RDWR | O_CLOEXEC, 0700);
	assert_true(place->fd >= 0);
	assert_int_equal(fchmod(place->fd, 0750), 0);
	assert_int_equal(write(place->fd, "12345", 5), 5);
	*state = place;
	return 0;
}

static int
place_free(void **state)
{
	struct place *place = *state;

	close(place->fd);
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static void
a_file_tells_its_path_if_there_is_room(void **state)
{
	struct place *place = *state;
	struct vnode vnode;
	char path[sizeof(place->path)];
	int size = sizeof(path);

	assert_int_equal(vnode_init(&vnode, place->fd), 0);
	assert_int_equal(vn_getpath(&vnode, path, &size), 0);
	assert_string_equal(path, place->path);
	assert_int_equal(size, strlen(path) + 1);
	assert_int_equal(vn_getpath(&vnode, path, &size), 0);
	size--;
	strcpy(path, "untouched");
	assert_int_equal(vn_getpath(&vnode, path, &size), ENOSPC);
	assert_string_equal(path, "untouched");
	size = -1;
	assert_int_equal(vn_getpath(&vnode, path, &size), ENOSPC);
}

static void
what_has_no_path_says_so(void **state)
{
	struct vnode vnode;
	char path[64];
	int ends[2], size = sizeof(path);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vnode_init(&vnode, ends[0]), 0);
	assert_int_equal(vn_getpath(&vnode, path, &size), ENOENT);
	assert_int_equal(vnode_vtype(&vnode), VFIFO);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(vnode_init(&vnode, ends[0]), -EBADF);
}

static void
a_file_has_a_type(void **state)
{
	struct place *place = *state;
	struct vnode vnode;
	int folder = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int device = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(vnode_init(&vnode, place->fd), 0);
	assert_int_equal(vnode_vtype(&vnode), VREG);
	assert_true(vnode_isreg(&vnode) && !vnode_isdir(&vnode) && !vnode_islnk(&vnode));
	assert_int_equal(vnode_init(&vnode, folder), 0);
	assert_int_equal(vnode_vtype(&vnode), VDIR);
	assert_true(vnode_isdir(&vnode) && !vnode_isreg(&vnode));
	assert_int_equal(vnode_init(&vnode, device), 0);
	assert_int_equal(vnode_vtype(&vnode), VCHR);
	close(folder);
	close(device);
}

static void
a_file_has_attributes(void **state)
{
	struct place *place = *state;
	struct vnode_attr attributes;
	struct vnode vnode;

	assert_int_equal(vnode_init(&vnode, place->fd), 0);
	VATTR_INIT(&attributes);
	VATTR_WANTED(&attributes, va_mode);
	VATTR_WANTED(&attributes, va_data_size);
	assert_true(VATTR_IS_ACTIVE(&attributes, va_mode));
	assert_false(VATTR_IS_ACTIVE(&attributes, va_uid));
	assert_false(VATTR_IS_SUPPORTED(&attributes, va_mode));
	assert_int_equal(vnode_getattr(&vnode, &attributes, vfs_context_current()), 0);
	assert_true(VATTR_IS_SUPPORTED(&attributes, va_mode));
	assert_true(VATTR_IS_SUPPORTED(&attributes, va_data_size));
	assert_int_equal(attributes.va_mode, 0750);
	assert_int_equal(attributes.va_data_size, 5);
	assert_int_equal(attributes.va_uid, geteuid());
	assert_int_equal(attributes.va_nlink, 1);
	assert_int_equal(vnode_getattr(&vnode, NULL, NULL), EINVAL);
	assert_int_equal(vnode_getattr(NULL, &attributes, NULL), EINVAL);
}

static void
a_context_is_of_who_called(void **state)
{
	struct host_call call = {
		.caller = { .pid = getpid(), .ruid = 11, .euid = 12, .rgid = 13, .egid = 14 },
	};

	assert_int_equal(vfs_context_pid(vfs_context_current()), 0);
	assert_int_equal(vfs_context_suser(vfs_context_current()), 0);

	host_call_set_current(&call);
	vfs_context_t context = vfs_context_current(), kept = vfs_context_create(NULL);

	assert_int_equal(vfs_context_pid(context), getpid());
	assert_int_equal(proc_pid(vfs_context_proc(context)), getpid());
	assert_int_equal(proc_ppid(vfs_context_proc(context)), getppid());
	assert_int_equal(kauth_cred_getuid(vfs_context_ucred(context)), 12);
	assert_false(vfs_context_issuser(context));
	assert_int_equal(vfs_context_suser(context), EPERM);
	assert_int_equal(vfs_context_rele(context), 0); /* not counted: does nothing */

	/* a copy outlives the call */
	vfs_context_t again = vfs_context_create(kept);
	host_call_set_current(NULL);
	assert_int_equal(vfs_context_pid(vfs_context_current()), 0);
	assert_int_equal(vfs_context_pid(kept), getpid());
	vfs_context_rele(kept);
	assert_int_equal(kauth_cred_getuid(vfs_context_ucred(again)), 12);
	assert_int_equal(proc_pid(vfs_context_proc(again)), getpid());
	vfs_context_rele(again);
	assert_null(vfs_context_proc(NULL));
	assert_null(vfs_context_ucred(NULL));
	assert_int_equal(vfs_context_suser(NULL), EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_tells_its_path_if_there_is_room, place_make,
						place_free),
		cmocka_unit_test(what_has_no_path_says_so),
		cmocka_unit_test_setup_teardown(a_file_has_a_type, place_make, place_free),
		cmocka_unit_test_setup_teardown(a_file_has_attributes, place_make, place_free),
		cmocka_unit_test(a_context_is_of_who_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
