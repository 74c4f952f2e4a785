/*
 * A client of kext.c in Objective-C: a class that holds the connection, and a use of it.
 *
 *   berth cc $(gnustep-config --objc-flags) Client.m $(gnustep-config --base-libs) -o Client
 */
#import <Foundation/Foundation.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <unistd.h>

#include "control.h"

/* One connection to the kext. */
@interface Client : NSObject {
	int _socketFD; /* -1: there is none */
}
/* NO: errno says why, and there is no connection. */
- (BOOL)establishConnection;
- (void)destroyConnection;
/* The kext's answer to a line; nil: errno says why. */
- (NSString *)ask:(NSString *)line;
@end

@implementation Client

- (id)init
{
	if ((self = [super init]))
		_socketFD = -1;
	return self;
}

- (void)dealloc
{
	[self destroyConnection];
	[super dealloc];
}

/* Find the control by its name, for ids change, and connect. */
- (BOOL)connectSocket
{
	struct ctl_info info = { 0 };
	struct sockaddr_ctl address = { 0 };

	strlcpy(info.ctl_name, CONTROL_NAME, sizeof(info.ctl_name));
	if (ioctl(_socketFD, CTLIOCGINFO, &info) != 0)
		return NO;
	address.sc_len = sizeof(address);
	address.sc_family = AF_SYSTEM;
	address.ss_sysaddr = AF_SYS_CONTROL;
	address.sc_id = info.ctl_id;
	return connect(_socketFD, (struct sockaddr *)&address, sizeof(address)) == 0;
}

- (BOOL)establishConnection
{
	if (_socketFD >= 0)
		return YES;
	_socketFD = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);
	if (_socketFD < 0)
		return NO;
	if ([self connectSocket])
		return YES;

	int error = errno;
	[self destroyConnection];
	errno = error;
	return NO;
}

- (void)destroyConnection
{
	if (_socketFD >= 0)
		close(_socketFD);
	_socketFD = -1;
}

- (NSString *)ask:(NSString *)line
{
	const char *text = [line UTF8String];
	char answer[CONTROL_MESSAGE_MAX];
	ssize_t size;

	if (send(_socketFD, text, strlen(text), 0) < 0)
		return nil;
	size = recv(_socketFD, answer, sizeof(answer), 0);
	if (size < 0)
		return nil;
	return [[[NSString alloc] initWithBytes:answer
					 length:(NSUInteger)size
				       encoding:NSUTF8StringEncoding] autorelease];
}

@end

int
main(void)
{
	NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
	Client *first = [[[Client alloc] init] autorelease];
	Client *second = [[[Client alloc] init] autorelease];
	BOOL is_fine = [first establishConnection];

	if (is_fine)
		printf("Client: Connect with kext successfully.\n");
	else
		printf("Client: error: Connect failed (%s)\n", strerror(errno));
	if (is_fine && ![second establishConnection])
		printf("Client: error: Connect failed (%s)\n", strerror(errno));
	if (is_fine) {
		NSString *answer = [first ask:@"hello from Objective-C"];

		is_fine = answer != nil;
		printf("Client: The kext answers: %s\n", is_fine ? [answer UTF8String] : "nothing");
		[first destroyConnection];
		printf("Client: Disconnect with kext successfully.\n");
	}
	[pool release];
	return is_fine ? 0 : 1;
}
