/*
 * The layout of messages, at compile time: offsets and sizes as they are on the wire.  Included
 * for the user's and for the server's header, which must not differ.
 */
#include <stddef.h>

#ifdef SERVER
#include "shapesServer.h"
#else
#include "shapes.h"
#endif

#define AT(type_, field_, offset_, size_)                                                          \
	_Static_assert(offsetof(type_, field_) == (offset_), #type_ "." #field_);                  \
	_Static_assert(sizeof(((type_ *)0)->field_) == (size_), "size of " #type_ "." #field_)
#define SIZE(type_, size_) _Static_assert(sizeof(type_) == (size_), #type_)

/* a scalar in and out */
SIZE(__Request__fixed_t, 36);
AT(__Request__fixed_t, Head, 0, 24);
AT(__Request__fixed_t, NDR, 24, 8);
AT(__Request__fixed_t, a, 32, 4);
SIZE(__Reply__fixed_t, 44);
AT(__Reply__fixed_t, NDR, 24, 8);
AT(__Reply__fixed_t, RetCode, 32, 4);
AT(__Reply__fixed_t, b, 36, 8);

/* nothing */
SIZE(__Request__nothing_t, 24);
SIZE(__Reply__nothing_t, 36);

/* everything variable, when full */
SIZE(__Request__variable_t, 284);
AT(__Request__variable_t, aCnt, 32, 4);
AT(__Request__variable_t, a, 36, 10);
AT(__Request__variable_t, x, 48, 4);
AT(__Request__variable_t, sOffset, 52, 4);
AT(__Request__variable_t, sCnt, 56, 4);
AT(__Request__variable_t, s, 60, 128);
AT(__Request__variable_t, f, 188, 64);
AT(__Request__variable_t, bCnt, 252, 4);
AT(__Request__variable_t, b, 256, 20);
AT(__Request__variable_t, y, 276, 4);
AT(__Request__variable_t, obCnt, 280, 4);
SIZE(__Reply__variable_t, 60);
AT(__Reply__variable_t, RetCode, 32, 4);
AT(__Reply__variable_t, obCnt, 36, 4);
AT(__Reply__variable_t, ob, 40, 20);

/* ports, alone and in rows */
SIZE(__Request__ports_t, 124);
AT(__Request__ports_t, msgh_body, 24, 4);
AT(__Request__ports_t, a, 28, 12);
AT(__Request__ports_t, b, 40, 48);
AT(__Request__ports_t, c, 88, 24);
AT(__Request__ports_t, NDR, 112, 8);
AT(__Request__ports_t, bCnt, 120, 4);

/* memory and arrays of ports */
SIZE(__Request__memory_t, 112);
AT(__Request__memory_t, a, 28, 16);
AT(__Request__memory_t, b, 44, 16);
AT(__Request__memory_t, c, 60, 16);
AT(__Request__memory_t, f, 76, 16);
AT(__Request__memory_t, NDR, 92, 8);
AT(__Request__memory_t, aCnt, 100, 4);
AT(__Request__memory_t, bCnt, 104, 4);
AT(__Request__memory_t, fCnt, 108, 4);

/* one port out, and no NDR */
SIZE(__Request__gives_port_t, 24);
SIZE(__Reply__gives_port_t, 40);
AT(__Reply__gives_port_t, p, 28, 12);

/* both ways */
SIZE(__Request__both_t, 76);
SIZE(__Reply__both_t, 76);
AT(__Request__both_t, b, 28, 12);
AT(__Request__both_t, c, 40, 16);
AT(__Request__both_t, NDR, 56, 8);
AT(__Request__both_t, a, 64, 4);
AT(__Request__both_t, cCnt, 68, 4);
AT(__Request__both_t, f, 72, 3);
AT(__Reply__both_t, b, 28, 12);
AT(__Reply__both_t, c, 40, 16);
AT(__Reply__both_t, NDR, 56, 8);
AT(__Reply__both_t, a, 64, 4);
AT(__Reply__both_t, cCnt, 68, 4);
AT(__Reply__both_t, f, 72, 3);

/* one way, a right that the sender chooses, three rights */
SIZE(__Request__tell_t, 52);
SIZE(__Request__poly_t, 52);
AT(__Request__poly_t, p, 28, 12);
AT(__Request__poly_t, NDR, 40, 8);
AT(__Request__poly_t, x, 48, 4);
SIZE(__Request__rights_t, 64);
SIZE(__Request__token_t, 36);

/* numbers of the subsystem */
_Static_assert(shapes_MSG_COUNT == 24, "skips count");
