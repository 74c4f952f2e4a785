#include "tools/launch_print.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mach/mach.h>
#include <servers/bootstrap_priv.h>

#include "tools/launch_client.h"

/* ---- text ------------------------------------------------------------------------------ */

/*
 * Names and labels are what their owners like, and may be another user's: what a terminal
 * would take for an order is printed as \\ooo.  No more than @size bytes; NULL: "?".
 */
static void
print_text(const char *text, size_t size)
{
	if (!text)
		text = "?";
	for (size_t i = 0; i < size && text[i] != '\0'; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (byte < ' ' || byte == 0x7f)
			printf("\\%03o", byte);
		else
			putchar(byte);
	}
}

/* ---- tables ---------------------------------------------------------------------------- */

static const char *
text_of(plist_t dict, const char *key)
{
	plist_t item = plist_dict_get_item(dict, key);

	return item && plist_get_node_type(item) == PLIST_STRING ? plist_get_string_ptr(item, NULL)
								 : NULL;
}

static int
compare_labels(const void *a, const void *b)
{
	const char *left = text_of(*(const plist_t *)a, "Label");
	const char *right = text_of(*(const plist_t *)b, "Label");

	return strcmp(left ? left : "", right ? right : "");
}

static void
print_row(plist_t job)
{
	plist_t pid = plist_dict_get_item(job, "PID");
	const char *status = text_of(job, "LastExitStatus");
	const char *label = text_of(job, "Label");
	uint64_t number = 0;

	if (pid) {
		plist_get_uint_val(pid, &number);
		printf("%" PRIu64, number);
	} else {
		putchar('-');
	}
	putchar('\t');
	print_text(status ? status : pid ? "0" : "-", SIZE_MAX);
	putchar('\t');
	print_text(label, SIZE_MAX);
	putchar('\n');
}

void
launch_print_table(plist_t jobs)
{
	uint32_t count = plist_array_get_size(jobs);
	plist_t *rows = calloc(count ? count : 1, sizeof(plist_t));

	if (!rows) {
		launch_tell(NULL, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		rows[i] = plist_array_get_item(jobs, i);
	qsort(rows, count, sizeof(rows[0]), compare_labels);
	printf("PID\tStatus\tLabel\n");
	for (uint32_t i = 0; i < count; i++)
		print_row(rows[i]);
	free(rows);
}

/* ---- property lists -------------------------------------------------------------------- */

static void
indent(unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		putchar('\t');
}

static void print_value(plist_t value, unsigned depth);

static void
print_dict(plist_t dict, unsigned depth)
{
	plist_dict_iter at = NULL;
	plist_t value = NULL;
	char *key = NULL;

	printf("{\n");
	plist_dict_new_iter(dict, &at);
	for (plist_dict_next_item(dict, at, &key, &value); key;
	     plist_dict_next_item(dict, at, &key, &value)) {
		indent(depth + 1);
		putchar('"');
		print_text(key, SIZE_MAX);
		printf("\" = ");
		print_value(value, depth + 1);
		printf(";\n");
		free(key);
		key = NULL;
	}
	free(at);
	indent(depth);
	putchar('}');
}

static void
print_array(plist_t array, unsigned depth)
{
	printf("(\n");
	for (uint32_t i = 0; i < plist_array_get_size(array); i++) {
		indent(depth + 1);
		print_value(plist_array_get_item(array, i), depth + 1);
		printf(";\n");
	}
	indent(depth);
	putchar(')');
}

static void
print_value(plist_t value, unsigned depth)
{
	uint64_t number = 0;
	uint8_t truth = 0;

	switch (plist_get_node_type(value)) {
	case PLIST_DICT:
		print_dict(value, depth);
		break;
	case PLIST_ARRAY:
		print_array(value, depth);
		break;
	case PLIST_BOOLEAN:
		plist_get_bool_val(value, &truth);
		printf("%s", truth ? "true" : "false");
		break;
	case PLIST_UINT:
		plist_get_uint_val(value, &number);
		printf("%" PRId64, (int64_t)number);
		break;
	case PLIST_STRING:
		putchar('"');
		print_text(plist_get_string_ptr(value, NULL), SIZE_MAX);
		putchar('"');
		break;
	default:
		putchar('?');
		break;
	}
}

void
launch_print_plist(plist_t plist)
{
	print_value(plist, 0);
	printf(";\n");
}

static void
print_fact(const char *name, const char *text)
{
	printf("\t%s = ", name);
	print_text(text, SIZE_MAX);
	putchar('\n');
}

/* What is not in the answer of a strange name server is a "?". */
void
launch_print_job(plist_t job)
{
	plist_t pid = plist_dict_get_item(job, "PID");
	plist_t services = plist_dict_get_item(job, "MachServices");
	plist_t arguments = plist_dict_get_item(job, "ProgramArguments");
	const char *program = text_of(job, "Program");
	const char *status = text_of(job, "LastExitStatus");
	uint64_t number = 0;

	print_text(text_of(job, "Label"), SIZE_MAX);
	printf(" = {\n");
	print_fact("state", text_of(job, "State"));
	print_fact("context", text_of(job, "Context"));
	if (pid) {
		plist_get_uint_val(pid, &number);
		printf("\tpid = %" PRIu64 "\n", number);
	}
	if (status)
		print_fact("last exit status", status);
	if (program)
		print_fact("program", program);
	printf("\targuments = ");
	print_value(arguments, 1);
	printf("\n\tservices = ");
	print_value(services, 1);
	printf("\n}\n");
}

/* ---- names ----------------------------------------------------------------------------- */

int
launch_print_names(int with_jobs)
{
	static const char letters[] = "IAD"; /* BOOTSTRAP_STATUS_* */
	mach_msg_type_number_t name_count, job_count, status_count;
	bootstrap_status_t *statuses;
	name_array_t names, jobs;

	kern_return_t kr = bootstrap_info(bootstrap_port, &names, &name_count, &jobs, &job_count,
					  &statuses, &status_count, 0);
	if (kr != KERN_SUCCESS)
		return launch_tell(NULL, "the name server: %s", bootstrap_strerror(kr));
	for (mach_msg_type_number_t i = 0; i < name_count; i++) {
		bool known = i < status_count && statuses[i] >= 0 && statuses[i] <= 2;
		printf("%c  ", known ? letters[statuses[i]] : '?');
		print_text(names[i], sizeof(names[i]));
		if (with_jobs && i < job_count) {
			printf(" (");
			print_text(jobs[i], sizeof(jobs[i]));
			putchar(')');
		}
		putchar('\n');
	}
	vm_deallocate(mach_task_self(), (vm_address_t)names, name_count * sizeof(*names));
	vm_deallocate(mach_task_self(), (vm_address_t)jobs, job_count * sizeof(*jobs));
	vm_deallocate(mach_task_self(), (vm_address_t)statuses, status_count * sizeof(*statuses));
	return 0;
}
