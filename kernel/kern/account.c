#include "kern/account.h"

struct account *
account_new(struct kernel *k)
{
	struct account *account = kernel_memory_alloc(k, sizeof(*account));

	if (account) {
		account->kernel = k;
		account->ref_count = 1;
	}
	return account;
}

struct account *
account_ref(struct account *account)
{
	account->ref_count++;
	return account;
}

struct account *
account_unref(struct account *account)
{
	if (!account)
		return NULL;
	check(account->ref_count > 0);
	if (--account->ref_count > 0)
		return NULL;
	check(account->port_count == 0 && account->request_count == 0);
	check(account->set_link_count == 0 && account->semaphore_count == 0);
	check(account->alarm_count == 0 && account->timer_count == 0);
	check(account->voucher_bytes == 0 && account->fileport_count == 0);
	check(account->memory_entry_count == 0);
	check(account->queued_bytes == 0 && account->segment_bytes == 0);
	kernel_memory_free(account->kernel, account, sizeof(*account));
	return NULL;
}
