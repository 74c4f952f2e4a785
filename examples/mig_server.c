/*
 * A server by MIG: two interfaces and the kernel's notices in one loop.
 *
 * mach_msg_server() receives from a port set: the bank's port and one port for each account.
 * The stubs that mig made check a message, call the function here, and fill the reply.  An
 * account lives until the kernel says that its last send right is gone; with the last account
 * the server ends.
 *
 * Compile: berth cc mig_bank.defs mig_account.defs mig_notices.defs mig_server.c -o mig_server
 */
#include <bsm/libbsm.h>
#include <inttypes.h>
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <string.h>

#include "mig_accountServer.h"
#include "mig_bankServer.h"
#include "mig_noticesServer.h"
#include "must.h"

struct account {
	struct account *next;
	mach_port_t port;
	owner_t owner;
	int64_t balance;
	int64_t history[AMOUNTS_MAX];
	unsigned history_count;
};

static struct account *accounts;
static mach_port_t everything; /* the port set */

static struct account *
account_find(mach_port_t port)
{
	struct account *account = accounts;

	while (account && account->port != port)
		account = account->next;
	return account;
}

/* ---- the bank -------------------------------------------------------------------------- */

kern_return_t
serve_bank_open(mach_port_t bank, audit_token_t token, const owner_t owner, mach_port_t *port)
{
	struct account *account = calloc(1, sizeof(*account));
	mach_port_t before;

	(void)bank;
	if (!account)
		return KERN_RESOURCE_SHORTAGE;
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &account->port));
	must(mach_port_insert_member(mach_task_self(), account->port, everything));
	snprintf(account->owner, sizeof(account->owner), "%s", owner);
	account->next = accounts;
	accounts = account;

	/* The reply makes the first send right; from then on there can be a last one. */
	must(mach_port_request_notification(mach_task_self(), account->port, MACH_NOTIFY_NO_SENDERS,
					    1, account->port, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					    &before));
	printf("server: an account for %s, who has euid %u\n", owner, audit_token_to_euid(token));
	*port = account->port;
	return KERN_SUCCESS;
}

kern_return_t
serve_bank_list(mach_port_t bank, text_t *owners, mach_msg_type_number_t *ownersCnt)
{
	size_t size = 0;
	vm_address_t memory;

	(void)bank;
	for (struct account *account = accounts; account; account = account->next)
		size += strlen(account->owner) + 1;
	/* `dealloc`: it goes away from here with the reply */
	kern_return_t kr = vm_allocate(mach_task_self(), &memory, size, VM_FLAGS_ANYWHERE);
	if (kr != KERN_SUCCESS)
		return kr;
	*owners = (char *)memory;
	*ownersCnt = (mach_msg_type_number_t)size;
	for (struct account *account = accounts; account; account = account->next) {
		size_t length = strlen(account->owner);

		memcpy((char *)memory, account->owner, length);
		((char *)memory)[length] = '\n';
		memory += length + 1;
	}
	return KERN_SUCCESS;
}

/* ---- an account ------------------------------------------------------------------------ */

kern_return_t
serve_account_add(mach_port_t port, int64_t amount, int64_t *balance)
{
	struct account *account = account_find(port);

	if (!account)
		return KERN_INVALID_ARGUMENT;
	if (account->balance + amount < 0)
		return KERN_INVALID_VALUE; /* the caller gets this code, and no balance */
	account->balance += amount;
	if (account->history_count == AMOUNTS_MAX) {
		account->history_count--;
		memmove(&account->history[0], &account->history[1],
			sizeof(account->history) - sizeof(account->history[0]));
	}
	account->history[account->history_count++] = amount;
	*balance = account->balance;
	return KERN_SUCCESS;
}

kern_return_t
serve_account_history(mach_port_t port, amounts_t amounts, mach_msg_type_number_t *amountsCnt)
{
	struct account *account = account_find(port);

	if (!account)
		return KERN_INVALID_ARGUMENT;
	memcpy(amounts, account->history, account->history_count * sizeof(account->history[0]));
	*amountsCnt = account->history_count;
	return KERN_SUCCESS;
}

/* ---- what the kernel tells ------------------------------------------------------------- */

kern_return_t
do_mach_notify_no_senders(mach_port_t notify, mach_port_mscount_t mscount)
{
	struct account **at = &accounts;

	(void)mscount;
	while (*at && (*at)->port != notify)
		at = &(*at)->next;
	if (!*at)
		return KERN_INVALID_ARGUMENT;
	struct account *account = *at;
	*at = account->next;
	printf("server: %s's account is closed with %" PRId64 " in it\n", account->owner,
	       account->balance);
	must(mach_port_mod_refs(mach_task_self(), account->port, MACH_PORT_RIGHT_RECEIVE, -1));
	free(account);
	if (!accounts) {
		/* the loop ends when there is nothing left to receive from */
		must(
		    mach_port_mod_refs(mach_task_self(), everything, MACH_PORT_RIGHT_PORT_SET, -1));
	}
	return KERN_SUCCESS;
}

/* The others are not asked for here.  Anyone could send them, so they do no harm. */

kern_return_t
do_mach_notify_port_deleted(mach_port_t notify, mach_port_name_t name)
{
	(void)notify, (void)name;
	return KERN_FAILURE;
}

kern_return_t
do_mach_notify_port_destroyed(mach_port_t notify, mach_port_t rights)
{
	(void)notify, (void)rights;
	return KERN_FAILURE; /* and so the right in the message is given up */
}

kern_return_t
do_mach_notify_send_once(mach_port_t notify)
{
	(void)notify;
	return KERN_FAILURE;
}

kern_return_t
do_mach_notify_dead_name(mach_port_t notify, mach_port_name_t name)
{
	(void)notify, (void)name;
	return KERN_FAILURE;
}

/* ---- the loop -------------------------------------------------------------------------- */

/* Each gives FALSE for a number that is not its own; the reply says so if it is nobody's. */
static boolean_t
demux(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	return bank_server(request, reply) || account_server(request, reply) ||
	       notify_server(request, reply);
}

/* The largest message of either direction: unions of all of them are in the headers. */
union message {
	union __RequestUnion__serve_bank_subsystem bank_request;
	union __ReplyUnion__serve_bank_subsystem bank_reply;
	union __RequestUnion__serve_account_subsystem account_request;
	union __ReplyUnion__serve_account_subsystem account_reply;
};

int
main(void)
{
	mach_port_t bank;

	setvbuf(stdout, NULL, _IOLBF, 0);
	must(bootstrap_check_in(bootstrap_port, BANK_SERVICE, &bank));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &everything));
	must(mach_port_insert_member(mach_task_self(), bank, everything));

	/* bank_open() wants to know who asks: so the trailer must tell */
	kern_return_t kr = mach_msg_server(demux, sizeof(union message), everything,
					   MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
					       MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT));
	if (kr != MACH_RCV_INVALID_NAME && kr != MACH_RCV_PORT_DIED)
		must(kr);
	must(mach_port_mod_refs(mach_task_self(), bank, MACH_PORT_RIGHT_RECEIVE, -1));
	printf("server: no accounts, no server\n");
	return 0;
}
