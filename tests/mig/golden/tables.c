/*
 * What a server says of itself: its tables, its numbers, and its demultiplexer.  Linked with the
 * server functions of ../endtoend/data_server.c, and run without any kernel.
 */
#include "dataDefines.h"
#include "dataServer.h"
#include "mig_test.h"

#include <mach/mig_errors.h>

extern mig_symtab_t _dataSymTab[];
extern int _dataSymTabBase, _dataSymTabEnd;

static void
tables(void)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { subsystem_to_name_map_data };
	const struct routine_descriptor none = { 0 };
	mach_msg_header_t header = { .msgh_id = 10001 };

	expect_equal(data_subsystem.start, 10000);
	expect_equal(data_subsystem.end, 10015);
	expect_equal(data_subsystem.maxsize, sizeof(union __ReplyUnion__data_subsystem));
	expect_equal(data_subsystem.reserved, 0);
	expect(data_subsystem.server == data_server_routine);
	expect_equal(sizeof(data_subsystem), 32 + 15 * 40);
	expect(memcmp(&data_subsystem.routine[2], &none, sizeof(none)) == 0);
	expect(memcmp(&data_subsystem.routine[14], &none, sizeof(none)) == 0);
	expect(data_subsystem.routine[1].impl_routine == NULL);
	expect_equal(data_subsystem.routine[1].argc, 30);
	expect_equal(data_subsystem.routine[1].descr_count, 0);
	expect_equal(data_subsystem.routine[1].max_reply_msg, sizeof(__Reply__data_scalars_t));
	expect(data_server_routine(&header) == data_subsystem.routine[1].stub_routine);
	header.msgh_id = 10002;
	expect(data_server_routine(&header) == NULL);
	header.msgh_id = 10015;
	expect(data_server_routine(&header) == NULL);
	header.msgh_id = 9999;
	expect(data_server_routine(&header) == NULL);

	expect_equal(_dataSymTabBase, 10000);
	expect_equal(_dataSymTabEnd, 10015);
	expect(strcmp(_dataSymTab[1].ms_routine_name, "data_scalars") == 0);
	expect_equal(_dataSymTab[1].ms_routine_number, 10001);
	expect((mig_routine_t)_dataSymTab[1].ms_routine == data_subsystem.routine[1].stub_routine);

	expect_equal(sizeof(names) / sizeof(*names), 13);
	expect(strcmp(names[2].name, "data_inout") == 0);
	expect_equal(names[2].number, 10003);
}

static void
demultiplexer(void)
{
	mach_msg_header_t request = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_MOVE_SEND),
		.msgh_size = 24,
		.msgh_remote_port = 0x503,
		.msgh_local_port = 0x603,
		.msgh_id = 10002,
	};
	mig_reply_error_t reply;

	memset(&reply, 0x5a, sizeof(reply));
	expect_equal(data_server(&request, &reply.Head), FALSE);
	expect_equal(reply.Head.msgh_bits, MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0));
	expect_equal(reply.Head.msgh_size, 36);
	expect_equal(reply.Head.msgh_remote_port, 0x503);
	expect_equal(reply.Head.msgh_local_port, MACH_PORT_NULL);
	expect_equal(reply.Head.msgh_voucher_port, MACH_PORT_NULL);
	expect_equal(reply.Head.msgh_id, 10102);
	expect_equal(reply.RetCode, MIG_BAD_ID);
	expect(memcmp(&reply.NDR, &NDR_record, sizeof(NDR_record)) == 0);
	/* served, however badly */
	request.msgh_id = 10001;
	expect_equal(data_server(&request, &reply.Head), TRUE);
	expect_equal(reply.RetCode, MIG_BAD_ARGUMENTS);
}

_Static_assert(MACH_ID_DATA_NOTHING == 10000 && MACH_ID_DATA_NOTHING_REPLY == 10100, "numbers");
_Static_assert(MACH_ID_DATA_TELL == 10010 && data_MSG_COUNT == 15, "numbers behind a skip");
#ifdef MACH_ID_DATA_TELL_REPLY
#error "a one-way message has no reply"
#endif

int
main(void)
{
	tables();
	demultiplexer();
	puts("done");
	return 0;
}
