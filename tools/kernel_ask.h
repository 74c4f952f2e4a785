/*
 * Asking a running kernel, and saying in the same words how that went.
 */
#ifndef BERTH_TOOLS_KERNEL_ASK_H
#define BERTH_TOOLS_KERNEL_ASK_H

#include <stdint.h>

#include "tools/answer.h"

/* A kernel that says nothing for so long is stuck: even a loaded machine is quicker. */
#define ANSWER_PATIENCE_S 30

/* Which kernel, in every help text. */
#define KERNEL_HELP                                                                                \
	"  --kernel KERNEL  ask this kernel: a socket's path, 'user' or 'system'; else the\n"      \
	"                   one that programs started here would use\n"

/*
 * The value of option @name if argv[*i] is it, as `--name value` or `--name=value`.  NULL: it
 * is another option; "" with *i = argc: the value is missing.
 */
const char *option_value(const char *name, int argc, char **argv, int *i);

/*
 * Connect to @kernel (NULL: what the environment says), with @flags of
 * <berth/kernel_connection.h>.  BERTH_KERNEL names it from then on.
 *
 * The connection, which gives up after ANSWER_PATIENCE_S; or -1 after saying, as @command, why
 * there is none.
 */
int kernel_ask_connect(const char *command, const char *kernel, unsigned flags);

/* Say how the answer went, as answer_take() gave @err.  @pid: which was asked for, or 0.  The
 * exit code. */
int kernel_ask_exit_code(const char *command, int32_t pid, int err, const struct answer *answer);

/*
 * All text of one WIRE_INSPECT, in @text, which the caller frees.  0, or the exit code after
 * saying what went wrong; COMMAND_REFUSED: the kernel does not serve us.
 */
int kernel_ask_text(const char *command, const char *kernel, uint32_t what, char **text);

#define COMMAND_REFUSED (-1) /* no exit code: that is COMMAND_FAILED then */

#endif
