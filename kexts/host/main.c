/*
 * berth-kexthost: all of it is in libberth-kpi, which kexts are linked with, too; but how to
 * reach the kernel is the other library's.
 */
#include <berth/kernel_connection.h>

#include "kexts/host/kexthost.h"

int
main(int argc, char **argv)
{
	return kexthost_main(argc, argv, berth_kernel_connect);
}
