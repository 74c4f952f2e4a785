/*
 * Atomic operations of kernel extensions.  They return the value *before* the operation (those
 * of programs, OSAtomicAdd32 and so on, return the new one).
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.7.
 */
#ifndef BERTH_LIBKERN_OSATOMIC_H
#define BERTH_LIBKERN_OSATOMIC_H

#ifdef KERNEL

#include <libkern/OSBase.h>

/* ---- add ------------------------------------------------------------------------------- */

#define BERTH_OSADD_(name, type)                                                                   \
	OS_INLINE type name(type amount, volatile type *address)                                   \
	{                                                                                          \
		return __atomic_fetch_add(address, amount, __ATOMIC_SEQ_CST);                      \
	}
#define BERTH_OSSTEP_(name, type, step)                                                            \
	OS_INLINE type name(volatile type *address)                                                \
	{                                                                                          \
		return __atomic_fetch_add(address, (type)(step), __ATOMIC_SEQ_CST);                \
	}

BERTH_OSADD_(OSAddAtomic8, SInt8)
BERTH_OSADD_(OSAddAtomic16, SInt16)
BERTH_OSADD_(OSAddAtomic, SInt32)
BERTH_OSADD_(OSAddAtomic64, SInt64)
BERTH_OSADD_(OSAddAtomicLong, long)
BERTH_OSSTEP_(OSIncrementAtomic8, SInt8, 1)
BERTH_OSSTEP_(OSIncrementAtomic16, SInt16, 1)
BERTH_OSSTEP_(OSIncrementAtomic, SInt32, 1)
BERTH_OSSTEP_(OSIncrementAtomic64, SInt64, 1)
BERTH_OSSTEP_(OSIncrementAtomicLong, long, 1)
BERTH_OSSTEP_(OSDecrementAtomic8, SInt8, -1)
BERTH_OSSTEP_(OSDecrementAtomic16, SInt16, -1)
BERTH_OSSTEP_(OSDecrementAtomic, SInt32, -1)
BERTH_OSSTEP_(OSDecrementAtomic64, SInt64, -1)
BERTH_OSSTEP_(OSDecrementAtomicLong, long, -1)

/* ---- bits ------------------------------------------------------------------------------ */

#define BERTH_OSBIT_(name, type, operation)                                                        \
	OS_INLINE type name(UInt32 mask, volatile type *address)                                   \
	{                                                                                          \
		return __atomic_fetch_##operation(address, (type)mask, __ATOMIC_SEQ_CST);          \
	}

BERTH_OSBIT_(OSBitOrAtomic8, UInt8, or)
BERTH_OSBIT_(OSBitOrAtomic16, UInt16, or)
BERTH_OSBIT_(OSBitOrAtomic, UInt32, or)
BERTH_OSBIT_(OSBitAndAtomic8, UInt8, and)
BERTH_OSBIT_(OSBitAndAtomic16, UInt16, and)
BERTH_OSBIT_(OSBitAndAtomic, UInt32, and)
BERTH_OSBIT_(OSBitXorAtomic8, UInt8, xor)
BERTH_OSBIT_(OSBitXorAtomic16, UInt16, xor)
BERTH_OSBIT_(OSBitXorAtomic, UInt32, xor)

/* Bit 0 is the most significant one of the first byte.  TRUE: it was set already. */
OS_INLINE Boolean
OSTestAndSet(UInt32 bit, volatile UInt8 *startAddress)
{
	UInt8 mask = (UInt8)(0x80u >> (bit & 7));

	return (OSBitOrAtomic8(mask, startAddress + bit / 8) & mask) != 0;
}

/* TRUE: it was clear already. */
OS_INLINE Boolean
OSTestAndClear(UInt32 bit, volatile UInt8 *startAddress)
{
	UInt8 mask = (UInt8)(0x80u >> (bit & 7));

	return (OSBitAndAtomic8((UInt8)~mask, startAddress + bit / 8) & mask) == 0;
}

/* ---- compare and swap: TRUE when swapped ------------------------------------------------- */

#define BERTH_OSSWAP_(name, type)                                                                  \
	OS_INLINE Boolean name(type oldValue, type newValue, volatile type *address)               \
	{                                                                                          \
		return __atomic_compare_exchange_n(address, &oldValue, newValue, 0,                \
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
	}

BERTH_OSSWAP_(OSCompareAndSwap8, UInt8)
BERTH_OSSWAP_(OSCompareAndSwap16, UInt16)
BERTH_OSSWAP_(OSCompareAndSwap, UInt32)
BERTH_OSSWAP_(OSCompareAndSwap64, UInt64)

OS_INLINE Boolean
OSCompareAndSwapPtr(void *oldValue, void *newValue, void *volatile *address)
{
	return __atomic_compare_exchange_n(address, &oldValue, newValue, 0, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#undef BERTH_OSADD_
#undef BERTH_OSSTEP_
#undef BERTH_OSBIT_
#undef BERTH_OSSWAP_

/* Kexts count in int32_t, uint32_t, int64_t and others of the same size. */
#define OSAddAtomic8(amount, address) OSAddAtomic8((amount), (volatile SInt8 *)(address))
#define OSAddAtomic16(amount, address) OSAddAtomic16((amount), (volatile SInt16 *)(address))
#define OSAddAtomic(amount, address) OSAddAtomic((amount), (volatile SInt32 *)(address))
#define OSAddAtomic64(amount, address) OSAddAtomic64((amount), (volatile SInt64 *)(address))
#define OSAddAtomicLong(amount, address) OSAddAtomicLong((amount), (volatile long *)(address))
#define OSIncrementAtomic8(address) OSIncrementAtomic8((volatile SInt8 *)(address))
#define OSIncrementAtomic16(address) OSIncrementAtomic16((volatile SInt16 *)(address))
#define OSIncrementAtomic(address) OSIncrementAtomic((volatile SInt32 *)(address))
#define OSIncrementAtomic64(address) OSIncrementAtomic64((volatile SInt64 *)(address))
#define OSIncrementAtomicLong(address) OSIncrementAtomicLong((volatile long *)(address))
#define OSDecrementAtomic8(address) OSDecrementAtomic8((volatile SInt8 *)(address))
#define OSDecrementAtomic16(address) OSDecrementAtomic16((volatile SInt16 *)(address))
#define OSDecrementAtomic(address) OSDecrementAtomic((volatile SInt32 *)(address))
#define OSDecrementAtomic64(address) OSDecrementAtomic64((volatile SInt64 *)(address))
#define OSDecrementAtomicLong(address) OSDecrementAtomicLong((volatile long *)(address))
#define OSBitOrAtomic8(mask, address) OSBitOrAtomic8((mask), (volatile UInt8 *)(address))
#define OSBitOrAtomic16(mask, address) OSBitOrAtomic16((mask), (volatile UInt16 *)(address))
#define OSBitOrAtomic(mask, address) OSBitOrAtomic((mask), (volatile UInt32 *)(address))
#define OSBitAndAtomic8(mask, address) OSBitAndAtomic8((mask), (volatile UInt8 *)(address))
#define OSBitAndAtomic16(mask, address) OSBitAndAtomic16((mask), (volatile UInt16 *)(address))
#define OSBitAndAtomic(mask, address) OSBitAndAtomic((mask), (volatile UInt32 *)(address))
#define OSBitXorAtomic8(mask, address) OSBitXorAtomic8((mask), (volatile UInt8 *)(address))
#define OSBitXorAtomic16(mask, address) OSBitXorAtomic16((mask), (volatile UInt16 *)(address))
#define OSBitXorAtomic(mask, address) OSBitXorAtomic((mask), (volatile UInt32 *)(address))
#define OSTestAndSet(bit, address) OSTestAndSet((bit), (volatile UInt8 *)(address))
#define OSTestAndClear(bit, address) OSTestAndClear((bit), (volatile UInt8 *)(address))
#define OSCompareAndSwap8(old_value, new_value, address)                                           \
	OSCompareAndSwap8((old_value), (new_value), (volatile UInt8 *)(address))
#define OSCompareAndSwap16(old_value, new_value, address)                                          \
	OSCompareAndSwap16((old_value), (new_value), (volatile UInt16 *)(address))
#define OSCompareAndSwap(old_value, new_value, address)                                            \
	OSCompareAndSwap((old_value), (new_value), (volatile UInt32 *)(address))
#define OSCompareAndSwap64(old_value, new_value, address)                                          \
	OSCompareAndSwap64((old_value), (new_value), (volatile UInt64 *)(address))
#define OSCompareAndSwapPtr(old_value, new_value, address)                                         \
	OSCompareAndSwapPtr((void *)(old_value), (void *)(new_value), (void *volatile *)(address))

/* ---- barriers -------------------------------------------------------------------------- */

OS_INLINE void
OSMemoryBarrier(void)
{
	__sync_synchronize();
}

OS_INLINE void
OSSynchronizeIO(void)
{
	__sync_synchronize();
}

#endif /* KERNEL */

#endif
