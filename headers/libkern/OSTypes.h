/*
 * Numbers by their old names.
 *
 * Source: kext.md §5.10.
 */
#ifndef BERTH_LIBKERN_OSTYPES_H
#define BERTH_LIBKERN_OSTYPES_H

typedef unsigned char UInt8;
typedef signed char SInt8;
typedef unsigned short UInt16;
typedef signed short SInt16;
typedef unsigned int UInt32;
typedef signed int SInt32;
typedef unsigned long long UInt64;
typedef signed long long SInt64;

typedef SInt32 OSStatus;
typedef unsigned char Boolean;

#endif
