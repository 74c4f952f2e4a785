/*
 * What the command line asked for.
 */
#ifndef MIG_SETTINGS_H
#define MIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	/* names of the outputs; NULL: the default, "/dev/null": not written */
	const char *user_file;
	const char *server_file;
	const char *header_file;
	const char *server_header_file;   /* NULL: none */
	const char *internal_header_file; /* NULL: none */
	const char *defines_file;         /* NULL: none */
	const char *user_prefix_files;    /* -i: one C file for each user routine */

	bool json;            /* the interface as JSON, in place of all files */
	bool split_headers;   /* -split: headers without includes, C files with them */
	bool use_vouchers;    /* default; -novouchers */
	bool two_calls;       /* -R: send and receive are two calls */
	bool symbol_table;    /* -s */
	bool event_logger;    /* -L */
	bool ndr_convert;     /* -n */
	bool bounds;          /* -b: __counted_by in prototypes */
	uint32_t stack_limit; /* -maxonstack; 0: none */

	/* diagnostics */
	bool quiet; /* -q: no warnings */
	bool verbose;
};

#endif
