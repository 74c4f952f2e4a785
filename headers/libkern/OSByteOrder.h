/*
 * Turning bytes round, and numbers in memory that are little- or big-endian.
 *
 * None of these can fail; addresses need no alignment.
 */
#ifndef _OS_OSBYTEORDER_H
#define _OS_OSBYTEORDER_H

#include <stdint.h>
#include <string.h>

enum { OSUnknownByteOrder, OSLittleEndian, OSBigEndian };

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define _BERTH_BIG_ENDIAN 1
#else
#define _BERTH_BIG_ENDIAN 0
#endif

static inline int32_t
OSHostByteOrder(void)
{
	return _BERTH_BIG_ENDIAN ? OSBigEndian : OSLittleEndian;
}

/* ---- numbers: constant expressions where the argument is one --------------------------------- */

#define OSSwapConstInt16(x)                                                                        \
	((uint16_t)((((uint16_t)(x)&0xff00u) >> 8) | (((uint16_t)(x)&0x00ffu) << 8)))
#define OSSwapConstInt32(x)                                                                        \
	((uint32_t)((((uint32_t)(x)&0xff000000u) >> 24) | (((uint32_t)(x)&0x00ff0000u) >> 8) |     \
		    (((uint32_t)(x)&0x0000ff00u) << 8) | (((uint32_t)(x)&0x000000ffu) << 24)))
#define OSSwapConstInt64(x)                                                                        \
	((uint64_t)(((uint64_t)OSSwapConstInt32((uint64_t)(x)&0xffffffffu) << 32) |                \
		    OSSwapConstInt32((uint64_t)(x) >> 32)))

static inline uint16_t
_OSSwapInt16(uint16_t x)
{
	return __builtin_bswap16(x);
}

static inline uint32_t
_OSSwapInt32(uint32_t x)
{
	return __builtin_bswap32(x);
}

static inline uint64_t
_OSSwapInt64(uint64_t x)
{
	return __builtin_bswap64(x);
}

#define OSSwapInt16(x)                                                                             \
	((uint16_t)(__builtin_constant_p(x) ? OSSwapConstInt16(x) : _OSSwapInt16((uint16_t)(x))))
#define OSSwapInt32(x) (__builtin_constant_p(x) ? OSSwapConstInt32(x) : _OSSwapInt32((uint32_t)(x)))
#define OSSwapInt64(x) (__builtin_constant_p(x) ? OSSwapConstInt64(x) : _OSSwapInt64((uint64_t)(x)))

#if _BERTH_BIG_ENDIAN == 1
#define OSSwapHostToBigInt16(x) ((uint16_t)(x))
#define OSSwapBigToHostInt16(x) ((uint16_t)(x))
#define OSSwapHostToBigConstInt16(x) ((uint16_t)(x))
#define OSSwapBigToHostConstInt16(x) ((uint16_t)(x))
#define OSSwapHostToBigInt32(x) ((uint32_t)(x))
#define OSSwapBigToHostInt32(x) ((uint32_t)(x))
#define OSSwapHostToBigConstInt32(x) ((uint32_t)(x))
#define OSSwapBigToHostConstInt32(x) ((uint32_t)(x))
#define OSSwapHostToBigInt64(x) ((uint64_t)(x))
#define OSSwapBigToHostInt64(x) ((uint64_t)(x))
#define OSSwapHostToBigConstInt64(x) ((uint64_t)(x))
#define OSSwapBigToHostConstInt64(x) ((uint64_t)(x))
#else
#define OSSwapHostToBigInt16(x) OSSwapInt16(x)
#define OSSwapBigToHostInt16(x) OSSwapInt16(x)
#define OSSwapHostToBigConstInt16(x) OSSwapConstInt16(x)
#define OSSwapBigToHostConstInt16(x) OSSwapConstInt16(x)
#define OSSwapHostToBigInt32(x) OSSwapInt32(x)
#define OSSwapBigToHostInt32(x) OSSwapInt32(x)
#define OSSwapHostToBigConstInt32(x) OSSwapConstInt32(x)
#define OSSwapBigToHostConstInt32(x) OSSwapConstInt32(x)
#define OSSwapHostToBigInt64(x) OSSwapInt64(x)
#define OSSwapBigToHostInt64(x) OSSwapInt64(x)
#define OSSwapHostToBigConstInt64(x) OSSwapConstInt64(x)
#define OSSwapBigToHostConstInt64(x) OSSwapConstInt64(x)
#endif

#if _BERTH_BIG_ENDIAN == 0
#define OSSwapHostToLittleInt16(x) ((uint16_t)(x))
#define OSSwapLittleToHostInt16(x) ((uint16_t)(x))
#define OSSwapHostToLittleConstInt16(x) ((uint16_t)(x))
#define OSSwapLittleToHostConstInt16(x) ((uint16_t)(x))
#define OSSwapHostToLittleInt32(x) ((uint32_t)(x))
#define OSSwapLittleToHostInt32(x) ((uint32_t)(x))
#define OSSwapHostToLittleConstInt32(x) ((uint32_t)(x))
#define OSSwapLittleToHostConstInt32(x) ((uint32_t)(x))
#define OSSwapHostToLittleInt64(x) ((uint64_t)(x))
#define OSSwapLittleToHostInt64(x) ((uint64_t)(x))
#define OSSwapHostToLittleConstInt64(x) ((uint64_t)(x))
#define OSSwapLittleToHostConstInt64(x) ((uint64_t)(x))
#else
#define OSSwapHostToLittleInt16(x) OSSwapInt16(x)
#define OSSwapLittleToHostInt16(x) OSSwapInt16(x)
#define OSSwapHostToLittleConstInt16(x) OSSwapConstInt16(x)
#define OSSwapLittleToHostConstInt16(x) OSSwapConstInt16(x)
#define OSSwapHostToLittleInt32(x) OSSwapInt32(x)
#define OSSwapLittleToHostInt32(x) OSSwapInt32(x)
#define OSSwapHostToLittleConstInt32(x) OSSwapConstInt32(x)
#define OSSwapLittleToHostConstInt32(x) OSSwapConstInt32(x)
#define OSSwapHostToLittleInt64(x) OSSwapInt64(x)
#define OSSwapLittleToHostInt64(x) OSSwapInt64(x)
#define OSSwapHostToLittleConstInt64(x) OSSwapConstInt64(x)
#define OSSwapLittleToHostConstInt64(x) OSSwapConstInt64(x)
#endif

/* ---- memory: @base + @offset ------------------------------------------------------------- */

static inline uint16_t
_OSReadInt16(const volatile void *base, uintptr_t offset)
{
	uint16_t data;

	memcpy(&data, (const char *)(uintptr_t)base + offset, sizeof(data));
	return data;
}

static inline void
_OSWriteInt16(volatile void *base, uintptr_t offset, uint16_t data)
{
	memcpy((char *)(uintptr_t)base + offset, &data, sizeof(data));
}

static inline uint16_t
OSReadSwapInt16(const volatile void *base, uintptr_t offset)
{
	return _OSSwapInt16(_OSReadInt16(base, offset));
}

static inline void
OSWriteSwapInt16(volatile void *base, uintptr_t offset, uint16_t data)
{
	_OSWriteInt16(base, offset, _OSSwapInt16(data));
}

static inline uint32_t
_OSReadInt32(const volatile void *base, uintptr_t offset)
{
	uint32_t data;

	memcpy(&data, (const char *)(uintptr_t)base + offset, sizeof(data));
	return data;
}

static inline void
_OSWriteInt32(volatile void *base, uintptr_t offset, uint32_t data)
{
	memcpy((char *)(uintptr_t)base + offset, &data, sizeof(data));
}

static inline uint32_t
OSReadSwapInt32(const volatile void *base, uintptr_t offset)
{
	return _OSSwapInt32(_OSReadInt32(base, offset));
}

static inline void
OSWriteSwapInt32(volatile void *base, uintptr_t offset, uint32_t data)
{
	_OSWriteInt32(base, offset, _OSSwapInt32(data));
}

static inline uint64_t
_OSReadInt64(const volatile void *base, uintptr_t offset)
{
	uint64_t data;

	memcpy(&data, (const char *)(uintptr_t)base + offset, sizeof(data));
	return data;
}

static inline void
_OSWriteInt64(volatile void *base, uintptr_t offset, uint64_t data)
{
	memcpy((char *)(uintptr_t)base + offset, &data, sizeof(data));
}

static inline uint64_t
OSReadSwapInt64(const volatile void *base, uintptr_t offset)
{
	return _OSSwapInt64(_OSReadInt64(base, offset));
}

static inline void
OSWriteSwapInt64(volatile void *base, uintptr_t offset, uint64_t data)
{
	_OSWriteInt64(base, offset, _OSSwapInt64(data));
}

#if _BERTH_BIG_ENDIAN == 1
#define OSReadBigInt16(base, offset) _OSReadInt16((base), (offset))
#define OSWriteBigInt16(base, offset, data) _OSWriteInt16((base), (offset), (data))
#define OSReadBigInt32(base, offset) _OSReadInt32((base), (offset))
#define OSWriteBigInt32(base, offset, data) _OSWriteInt32((base), (offset), (data))
#define OSReadBigInt64(base, offset) _OSReadInt64((base), (offset))
#define OSWriteBigInt64(base, offset, data) _OSWriteInt64((base), (offset), (data))
#else
#define OSReadBigInt16(base, offset) OSReadSwapInt16((base), (offset))
#define OSWriteBigInt16(base, offset, data) OSWriteSwapInt16((base), (offset), (data))
#define OSReadBigInt32(base, offset) OSReadSwapInt32((base), (offset))
#define OSWriteBigInt32(base, offset, data) OSWriteSwapInt32((base), (offset), (data))
#define OSReadBigInt64(base, offset) OSReadSwapInt64((base), (offset))
#define OSWriteBigInt64(base, offset, data) OSWriteSwapInt64((base), (offset), (data))
#endif

#if _BERTH_BIG_ENDIAN == 0
#define OSReadLittleInt16(base, offset) _OSReadInt16((base), (offset))
#define OSWriteLittleInt16(base, offset, data) _OSWriteInt16((base), (offset), (data))
#define OSReadLittleInt32(base, offset) _OSReadInt32((base), (offset))
#define OSWriteLittleInt32(base, offset, data) _OSWriteInt32((base), (offset), (data))
#define OSReadLittleInt64(base, offset) _OSReadInt64((base), (offset))
#define OSWriteLittleInt64(base, offset, data) _OSWriteInt64((base), (offset), (data))
#else
#define OSReadLittleInt16(base, offset) OSReadSwapInt16((base), (offset))
#define OSWriteLittleInt16(base, offset, data) OSWriteSwapInt16((base), (offset), (data))
#define OSReadLittleInt32(base, offset) OSReadSwapInt32((base), (offset))
#define OSWriteLittleInt32(base, offset, data) OSWriteSwapInt32((base), (offset), (data))
#define OSReadLittleInt64(base, offset) OSReadSwapInt64((base), (offset))
#define OSWriteLittleInt64(base, offset, data) OSWriteSwapInt64((base), (offset), (data))
#endif

#endif
