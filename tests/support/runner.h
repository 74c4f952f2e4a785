/*
 * Runs the tests of one program: each in a process of its own, so that a crash, a failed
 * check of the kernel or a hang costs one test and no more.
 *
 * A test registers itself where it is written; nothing is listed twice.
 *
 *   TEST(name)       a test
 *   TEST_1(name)     with a world `w` of one task, whose thread is `a`
 *   TEST_2, TEST_3   of two, three tasks: `a`, `b`, `c`
 *   MUST_FAIL(name)  a test that proves the runner: passes if the body fails
 */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct test_case {
	const char *name;
	void (*body)(void **state);
	int must_fail;
	unsigned limit_s; /* a test that takes longer hangs */
	struct test_case *next;
};

void test_register(struct test_case *test);

#define TEST_REGISTER(name_, must_fail_, limit_s_)                                                 \
	static void name_(void **state);                                                           \
	__attribute__((constructor)) static void name_##_register(void)                            \
	{                                                                                          \
		static struct test_case test = { #name_, name_, must_fail_, limit_s_, NULL };      \
		test_register(&test);                                                              \
	}

#define TEST(name_)                                                                                \
	TEST_REGISTER(name_, 0, 120)                                                               \
	static void name_(void **state)

#define MUST_FAIL(name_, limit_s_)                                                                 \
	TEST_REGISTER(name_, 1, limit_s_)                                                          \
	static void name_(void **state)

#define TEST_1(name_)                                                                              \
	static void name_##_body(struct world *w, struct actor *a);                                \
	TEST(name_)                                                                                \
	{                                                                                          \
		struct world *w = world_new(1);                                                    \
		name_##_body(w, world_actor(w, 0));                                                \
		world_free(w);                                                                     \
	}                                                                                          \
	static void name_##_body(struct world *w, struct actor *a)

#define TEST_2(name_)                                                                              \
	static void name_##_body(struct world *w, struct actor *a, struct actor *b);               \
	TEST(name_)                                                                                \
	{                                                                                          \
		struct world *w = world_new(2);                                                    \
		name_##_body(w, world_actor(w, 0), world_actor(w, 1));                             \
		world_free(w);                                                                     \
	}                                                                                          \
	static void name_##_body(struct world *w, struct actor *a, struct actor *b)

#define TEST_3(name_)                                                                              \
	static void name_##_body(struct world *w, struct actor *a, struct actor *b,                \
				 struct actor *c);                                                 \
	TEST(name_)                                                                                \
	{                                                                                          \
		struct world *w = world_new(3);                                                    \
		name_##_body(w, world_actor(w, 0), world_actor(w, 1), world_actor(w, 2));          \
		world_free(w);                                                                     \
	}                                                                                          \
	static void name_##_body(struct world *w, struct actor *a, struct actor *b, struct actor *c)

#endif
