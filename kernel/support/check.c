#include "check.h"

__attribute__((weak)) _Noreturn void
kernel_check_failed(const char *expression, const char *file, int line)
{
	(void)expression;
	(void)file;
	(void)line;
	__builtin_trap();
}
