/* What may differ: results after each step, and all state in a full look.  See play.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tests/model/play.h"

struct report {
	char *text;
	size_t size;
};

static bool __attribute__((format(printf, 2, 3)))
differs(struct report *report, const char *format, ...)
{
	size_t used = strlen(report->text);
	va_list args;

	va_start(args, format);
	vsnprintf(report->text + used, report->size - used, format, args);
	va_end(args);
	return false;
}

static void
number(struct report *report, const char *what, uint64_t kernel, uint64_t model)
{
	if (kernel != model)
		differs(report, "  %s: kernel %#" PRIx64 ", model %#" PRIx64 "\n", what, kernel,
			model);
}

/* ---- results ----------------------------------------------------------------------------- */

static bool
bytes_agree(struct report *report, const char *what, const uint8_t *kernel, uint32_t kernel_size,
	    const uint8_t *model, uint32_t model_size)
{
	if (kernel_size == model_size &&
	    (model_size == 0 || memcmp(kernel, model, model_size) == 0))
		return true;
	differs(report, "%s\n  kernel (%u):", what, kernel_size);
	for (uint32_t i = 0; i < kernel_size && i < 160; i++)
		differs(report, "%s%02x", i % 4 ? "" : " ", kernel[i]);
	differs(report, "\n  model  (%u):", model_size);
	for (uint32_t i = 0; i < model_size && i < 160; i++)
		differs(report, "%s%02x", i % 4 ? "" : " ", model[i]);
	return false;
}

/* Both tokens of a trailer. */
#define TOKENS_FROM offsetof(mach_msg_max_trailer_t, msgh_sender)
#define TOKENS_END offsetof(mach_msg_max_trailer_t, msgh_context)

/*
 * The model knows no lanes: of what came by one and was passed on to a third task with its port the
 * kernel says no sender, with all bits set, which is nobody's token.
 */
static bool
trailers_agree(struct report *report, const struct m_result *k, const struct m_result *m)
{
	uint32_t end = m->trailer_size < TOKENS_END ? m->trailer_size : TOKENS_END;
	uint8_t kernel[sizeof(mach_msg_max_trailer_t)];
	bool is_nobody = k->trailer_size == m->trailer_size && m->trailer_size > TOKENS_FROM &&
			 m->trailer_size <= sizeof(kernel);

	for (uint32_t i = TOKENS_FROM; is_nobody && i < end; i++)
		is_nobody = k->trailer[i] == 0xff;
	if (!is_nobody)
		return bytes_agree(report, "trailer", k->trailer, k->trailer_size, m->trailer,
				   m->trailer_size);
	memcpy(kernel, k->trailer, k->trailer_size);
	memcpy(kernel + TOKENS_FROM, m->trailer + TOKENS_FROM, end - TOKENS_FROM);
	return bytes_agree(report, "trailer", kernel, k->trailer_size, m->trailer, m->trailer_size);
}

bool
compare_results(const struct m_thread *thread, char *difference, size_t size)
{
	struct report report = { difference, size };
	const struct m_result *k = &thread->actual, *m = &thread->result;
	bool same = true;

	if (!thread->done && !thread->actual_done)
		return true;
	report.text[0] = '\0';
	if (thread->done != thread->actual_done) {
		const struct m_result *r = thread->done ? m : k;

		return differs(&report,
			       "a thread of task %u: the %s completes its trap with %#x, "
			       "the %s does not complete it",
			       thread->task ? thread->task->index : 99,
			       thread->done ? "model" : "kernel", (unsigned)r->code,
			       thread->done ? "kernel" : "model");
	}
	if (k->code != m->code)
		return differs(&report, "code: kernel %#x, model %#x", (unsigned)k->code,
			       (unsigned)m->code);
	for (uint32_t i = 0; i < M_VALUES; i++)
		if (k->values[i] != m->values[i])
			same =
			    differs(&report, "value %u: kernel %#" PRIx64 ", model %#" PRIx64 "\n",
				    i, k->values[i], m->values[i]);
	if (!bytes_agree(&report, "bytes", k->bytes, k->bytes_size, m->bytes, m->bytes_size) ||
	    !trailers_agree(&report, k, m))
		return false;
	number(&report, "file", k->file, m->file);
	if (report.text[0])
		return false;
	if (k->piece_count != m->piece_count)
		return differs(&report, "pieces: kernel %u, model %u", k->piece_count,
			       m->piece_count);
	for (uint32_t i = 0; i < m->piece_count; i++)
		if (!bytes_agree(&report, "piece", k->pieces[i].bytes, k->pieces[i].size,
				 m->pieces[i].bytes, m->pieces[i].size))
			return false;
	return same;
}

/* ---- state ----------------------------------------------------------------------------------- */

static uint32_t
waiting_receivers(const struct m_port *port)
{
	uint32_t count = port->receivers.count;

	M_EACH(const struct m_set, set, &port->sets)
	count += set->waiting.count;
	return count;
}

/* One port, one number of the kernel's, for as long as it lives. */
static void
identity(struct report *report, struct m_port *port, uint64_t kernel_id)
{
	if (port->kernel_id == 0)
		port->kernel_id = kernel_id;
	number(report, "identity of the port", kernel_id, port->kernel_id);
}

/* As the kernel calls it; "": no object of its own. */
static const char *
kind_of(const struct m_port *port)
{
	static const char *const kinds[] = {
		[M_OWNER_NONE] = "",
		[M_OWNER_TASK] = "task",
		[M_OWNER_THREAD] = "thread",
		[M_OWNER_HOST] = "host",
		[M_OWNER_SEMAPHORE] = "semaphore",
		[M_OWNER_VOUCHER] = "voucher",
		[M_OWNER_TASK_NAME] = "task name",
		[M_OWNER_TOKEN] = "task resume",
		[M_OWNER_FILEPORT] = "fileport",
		[M_OWNER_HOST_PRIV] = "host priv",
	};

	return port->timer ? "timer" : kinds[port->kernel];
}

static void
semaphore_agrees(struct report *report, const struct kernel_right_row *row,
		 const struct m_semaphore *semaphore)
{
	number(report, "semaphore's owner", row->kobject_pid,
	       semaphore->owner ? semaphore->owner->token.val[5] : 0);
	number(report, "who waits on the semaphore", row->waiting_receivers,
	       semaphore->waiters.count);
}

static void
port_agrees(struct report *report, struct model *m, const struct kernel_right_row *row,
	    struct m_port *port)
{
	identity(report, port, row->port_id);
	number(report, "alive", row->port_alive, port->alive);
	if (!port->alive)
		return;
	if (strcmp(row->kobject ? row->kobject : "", kind_of(port)) != 0)
		differs(report, "  object: kernel %s, model %s\n", row->kobject, kind_of(port));
	if (port->semaphore)
		semaphore_agrees(report, row, port->semaphore);
	if (port->kernel)
		return;
	number(report, "receiver", row->receiver_pid,
	       port->receiver ? port->receiver->token.val[5] : 0);
	number(report, "receiver's name", row->receiver_name,
	       port->receiver ? m_entry_of_port(port->receiver, port)->name : 0);
	number(report, "msgcount", row->msgcount, port->queue.count);
	number(report, "qlimit", row->qlimit, port->qlimit);
	number(report, "seqno", row->seqno, port->seqno);
	number(report, "mscount", row->mscount, port->mscount);
	number(report, "srights", row->srights, m_port_srights(m, port));
	number(report, "sorights", row->sorights, m_port_sorights(m, port));
	number(report, "sets", row->set_count, port->sets.count);
	number(report, "waiting receivers", row->waiting_receivers, waiting_receivers(port));
	number(report, "waiting senders", row->waiting_senders, port->senders.count);
	number(report, "no-senders request", row->no_senders_request, port->no_senders.kind != 0);
	number(report, "port-destroyed request", row->port_destroyed_request,
	       port->port_destroyed.kind != 0);
}

static bool
row_agrees(struct report *report, struct model *m, struct m_task *task,
	   const struct kernel_right_row *row)
{
	struct m_entry *entry = m_entry_find(task, row->name);
	mach_port_type_t type;

	report->text[0] = '\0';
	if (!entry)
		return differs(report,
			       "task %u: the kernel has the name %#x of type %#x, the "
			       "model has not",
			       task->index, row->name, row->type);
	type = m_entry_type(entry) & MACH_PORT_TYPE_ALL_RIGHTS;
	number(report, "type", row->type, type);
	number(report, "user references", row->urefs,
	       entry->type & (MACH_PORT_TYPE_SEND_RIGHTS | MACH_PORT_TYPE_DEAD_NAME) ? entry->urefs
										     : 0);
	number(report, "request", row->dead_name_request, entry->request != NULL);
	if (type == MACH_PORT_TYPE_PORT_SET) {
		number(report, "members", row->set_count, entry->set->members.count);
		number(report, "waiting receivers", row->waiting_receivers,
		       entry->set->waiting.count);
	} else if (type != MACH_PORT_TYPE_DEAD_NAME && row->type == type) {
		port_agrees(report, m, row, entry->port);
	}
	if (!report->text[0])
		return true;
	return differs(report, "  (name %#x of task %u, made as %%%u.%u)", row->name, task->index,
		       entry->label_step, entry->label_ordinal);
}

bool
compare_state(struct kernel *k, struct model *m, struct task *const *tasks, char *difference,
	      size_t size)
{
	struct report report = { difference, size };
	struct kernel_census at = { 0 };
	struct kernel_right_row row;
	struct kernel_counts counts;
	uint32_t found[M_TASKS] = { 0 };

	while (kernel_census_next(k, &at, &row)) {
		uint32_t i = 0;

		while (i < m->task_count && tasks[i] != row.task)
			i++;
		if (i == m->task_count)
			return differs(&report, "a name of a task that there is not");
		found[i]++;
		if (!row_agrees(&report, m, &m->tasks[i], &row))
			return false;
	}
	report.text[0] = '\0';
	for (uint32_t i = 0; i < m->task_count; i++)
		number(&report, "names of a task", found[i], m->tasks[i].entries.count);
	kernel_counts(k, &counts);
	number(&report, "messages", counts.messages, m->messages.count);
	number(&report, "fileports", counts.fileports, m->files.count);
	/* the kernel also wants to know later which lanes are used */
	if (counts.lanes == 0 || kernel_next_deadline_ns(k) > model_next_deadline(m))
		number(&report, "next deadline", kernel_next_deadline_ns(k),
		       model_next_deadline(m));
	return report.text[0] == '\0';
}
