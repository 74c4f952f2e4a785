/*
 * Put before the files that mig made: the trace macros, where stubs.c counts.
 */
void before_hook(int number, const char *name);
void after_hook(int number, const char *name);
#define __BeforeSendRpc(number_, name_) before_hook(number_, name_);
#define __AfterSendRpc(number_, name_) after_hook(number_, name_);
