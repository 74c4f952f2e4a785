/*
 * Keywords of the language, in the order of the alphabet: keyword_find looks by halves.
 *
 * Source: mig-language.md §2.
 */
#ifndef MIG_SYNTAX_KEYWORDS_H
#define MIG_SYNTAX_KEYWORDS_H

#include <stddef.h>

#define KEYWORDS(X)                                                                                \
	X(ARRAY, "array")                                                                          \
	X(AUDIT_TOKEN, "audittoken")                                                               \
	X(AUTO, "auto")                                                                            \
	X(C_STRING, "c_string")                                                                    \
	X(CONST, "const")                                                                          \
	X(CONSUME_ON_SEND_ERROR, "consumeonsenderror")                                             \
	X(COUNT_INOUT, "countinout")                                                               \
	X(C_SERVER_TYPE, "cservertype")                                                            \
	X(C_TYPE, "ctype")                                                                         \
	X(C_USER_TYPE, "cusertype")                                                                \
	X(DEALLOC, "dealloc")                                                                      \
	X(DESTRUCTOR, "destructor")                                                                \
	X(DIMPORT, "dimport")                                                                      \
	X(ERROR, "error")                                                                          \
	X(IIMPORT, "iimport")                                                                      \
	X(IMPORT, "import")                                                                        \
	X(IN, "in")                                                                                \
	X(INOUT, "inout")                                                                          \
	X(INTRAN, "intran")                                                                        \
	X(KERNEL_SERVER, "kernelserver")                                                           \
	X(KERNEL_USER, "kerneluser")                                                               \
	X(MSG_OPTION, "msgoption")                                                                 \
	X(MSG_SEQNO, "msgseqno")                                                                   \
	X(NO_SEND_TIME, "nosendtime")                                                              \
	X(NOT_DEALLOC, "notdealloc")                                                               \
	X(NO_WAIT_TIME, "nowaittime")                                                              \
	X(OF, "of")                                                                                \
	X(OUT, "out")                                                                              \
	X(OUTTRAN, "outtran")                                                                      \
	X(OVERWRITE, "overwrite")                                                                  \
	X(PHYSICAL_COPY, "physicalcopy")                                                           \
	X(POLYMORPHIC, "polymorphic")                                                              \
	X(RCSID, "rcsid")                                                                          \
	X(REPLY_PORT, "replyport")                                                                 \
	X(REQUEST_PORT, "requestport")                                                             \
	X(RETCODE, "retcode")                                                                      \
	X(ROUTINE, "routine")                                                                      \
	X(SAME_COUNT, "samecount")                                                                 \
	X(SEC_TOKEN, "sectoken")                                                                   \
	X(SEND_TIME, "sendtime")                                                                   \
	X(SERVER_AUDIT_TOKEN, "serveraudittoken")                                                  \
	X(SERVER_CONTEXT_TOKEN, "servercontexttoken")                                              \
	X(SERVER_DEMUX, "serverdemux")                                                             \
	X(SERVER_IMPL, "serverimpl")                                                               \
	X(SERVER_PREFIX, "serverprefix")                                                           \
	X(SERVER_SEC_TOKEN, "serversectoken")                                                      \
	X(SIMPLE_ROUTINE, "simpleroutine")                                                         \
	X(SIMPORT, "simport")                                                                      \
	X(SKIP, "skip")                                                                            \
	X(SREPLY_PORT, "sreplyport")                                                               \
	X(STRUCT, "struct")                                                                        \
	X(SUBSYSTEM, "subsystem")                                                                  \
	X(TYPE, "type")                                                                            \
	X(UIMPORT, "uimport")                                                                      \
	X(UREPLY_PORT, "ureplyport")                                                               \
	X(USER_AUDIT_TOKEN, "useraudittoken")                                                      \
	X(USER_IMPL, "userimpl")                                                                   \
	X(USER_PREFIX, "userprefix")                                                               \
	X(USER_SEC_TOKEN, "usersectoken")                                                          \
	X(USE_SPECIAL_REPLY_PORT, "usespecialreplyport")                                           \
	X(WAIT_TIME, "waittime")

enum keyword {
	KEYWORD_NONE,
#define X(name, text) KEYWORD_##name,
	KEYWORDS(X)
#undef X
};

/* The keyword that @text is, whatever the case of its letters; or KEYWORD_NONE. */
enum keyword keyword_find(const char *text, size_t size);

const char *keyword_text(enum keyword keyword);

#endif
