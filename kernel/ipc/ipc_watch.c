#include "ipc/ipc_watch.h"

#include "ipc/ipc_port.h"
#include "ipc/ipc_pset.h"

static void
watch_tell(struct kernel *k, struct kernel_watch *watch)
{
	if (watch->listed)
		return;
	watch->listed = true;
	watch->next = k->effects->watches;
	k->effects->watches = watch;
}

struct kernel_watch *
ipc_watch_get(struct kernel *k, struct kernel_watch **slot, struct ipc_object *object, bool ready)
{
	if (*slot)
		return *slot;

	struct kernel_watch *watch = kernel_memory_alloc(k, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->ready = ready;
	watch->object = object;
	k->watch_count++;
	*slot = watch;
	watch_tell(k, watch);
	return watch;
}

void
ipc_watch_update(struct kernel *k, struct kernel_watch *watch, bool ready)
{
	if (!watch || watch->ready == ready)
		return;
	watch->ready = ready;
	watch_tell(k, watch);
}

void
ipc_watch_close(struct kernel *k, struct kernel_watch **slot)
{
	struct kernel_watch *watch = *slot;

	if (!watch)
		return;
	*slot = NULL;
	watch->object = NULL;
	watch->ready = true;
	watch->closed = true;
	watch_tell(k, watch);
}

void
kernel_watch_free(struct kernel *k, struct kernel_watch *watch)
{
	struct ipc_object *object = watch->object;

	check(!watch->listed);
	if (object && object->kind == IPC_OBJECT_PORT)
		((struct ipc_port *)object)->watch = NULL;
	else if (object)
		((struct ipc_pset *)object)->watch = NULL;
	k->watch_count--;
	kernel_memory_free(k, watch, sizeof(*watch));
}
