/*
 * A client by MIG (the server is mig_server.c): remote calls that look like any others.
 *
 * Compile: berth cc mig_bank.defs mig_account.defs mig_client.c -o mig_client
 */
#include <inttypes.h>
#include <mach/mach.h>
#include <servers/bootstrap.h>

#include <time.h>

#include "mig_account.h"
#include "mig_bank.h"
#include "must.h"

/* The server may have been started a moment ago only. */
static mach_port_t
find_bank(void)
{
	kern_return_t kr = BOOTSTRAP_UNKNOWN_SERVICE;
	mach_port_t bank;

	for (int i = 0; i < 500 && kr == BOOTSTRAP_UNKNOWN_SERVICE; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
		kr = bootstrap_look_up(bootstrap_port, BANK_SERVICE, &bank);
	}
	must(kr);
	return bank;
}

int
main(void)
{
	mach_port_t bank = find_bank(), account, other;
	mach_msg_type_number_t owners_size, count;
	int64_t amounts[AMOUNTS_MAX];
	int64_t balance;
	text_t owners;

	must(bank_open(bank, "Ada", &account));
	must(bank_open(bank, "Grace", &other));

	must(bank_list(bank, &owners, &owners_size));
	printf("client: accounts of\n%.*s", (int)owners_size, owners);
	must(vm_deallocate(mach_task_self(), (vm_address_t)owners, owners_size));

	must(account_add(account, 100, &balance));
	must(account_add(account, -30, &balance));
	printf("client: Ada has %" PRId64 "\n", balance);

	/* An error is the server function's own, or one of MIG's, or of Mach's. */
	kern_return_t kr = account_add(account, -1000, &balance);
	printf("client: taking 1000: %s\n", mach_error_string(kr));

	must(account_history(account, amounts, &count));
	for (mach_msg_type_number_t i = 0; i < count; i++)
		printf("client: %+" PRId64 "\n", amounts[i]);

	/* No words of farewell: the server learns from the kernel that the rights are gone. */
	must(mach_port_deallocate(mach_task_self(), account));
	must(mach_port_deallocate(mach_task_self(), other));
	must(mach_port_deallocate(mach_task_self(), bank));
	return 0;
}
