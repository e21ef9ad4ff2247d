/* tests/unit/test_store.c: what is put is there after a restart; a broken file is moved aside (S3), a newer one is left alone (S4). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

static char dir[64], path[96];
static const struct wall now = { 1795000000000000 };

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/camtrapd-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/camtrapd.db", dir);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "camtrapd.db", "camtrapd.db-wal", "camtrapd.db-shm", "camtrapd.db.corrupt-1795000001" };
	char name[160];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(name, sizeof name, "%s/%s", dir, names[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static int
count_outbox(void *arg, const struct outbox_row *r)
{
	int *n = arg;

	assert_string_equal(r->receiver, "noc");
	assert_int_equal(r->event.sequence, 1 + *n);
	(*n)++;
	return 0;
}

static int
copy_detection(void *arg, const struct detection *d)
{
	*(struct detection *)arg = *d;
	return 0;
}

static void
what_was_committed_is_there_and_nothing_else(void **state)
{
	struct store_opened opened;
	struct store *s;
	struct detection d = { .id = 1, .presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN, .origin = ORIGIN_NEW,
		.confidence = CONFIDENCE_CONFIRMED, .severity = SEVERITY_MAJOR, .vendor = "Hikvision" }, got;
	struct event e = { .type = EVENT_DEVICE_DETECTED, .severity = SEVERITY_MAJOR, .at = now };
	struct stat st;
	uint64_t row;
	uint32_t v;
	int n = 0;

	(void)state;
	assert_int_equal(store_open(&s, dir, now, &opened), 0);
	assert_true(opened.created && !opened.state_lost);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07, 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_detection_put(s, &d), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_next(s, COUNTER_EVENT, &e.sequence), 0);
		snprintf(e.id, sizeof e.id, "%026d", i);
		assert_int_equal(store_event_put(s, &e), 0);
		assert_int_equal(store_outbox_put(s, "noc", &e, &row), 0);
	}
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_begin(s), 0);
	d.id = 2;
	d.mac.b[5] = 1;
	assert_int_equal(store_detection_put(s, &d), 0);
	store_rollback(s);
	store_close(s);
	assert_int_equal(store_open(&s, dir, now, &opened), 0);
	assert_false(opened.created);
	assert_int_equal(store_detections(s, copy_detection, &got), 0);
	assert_int_equal(got.id, 1);
	assert_string_equal(got.vendor, "Hikvision");
	assert_int_equal(store_outbox(s, count_outbox, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(store_next(s, COUNTER_EVENT, &v), 0);
	assert_int_equal(v, 4);
	store_close(s);
}

static void
s3_a_broken_file_is_moved_aside_and_said(void **state)
{
	struct store_opened opened;
	struct store *s;
	FILE *f = fopen(path, "w");
	uint32_t epoch;

	(void)state;
	for (int i = 0; i < 5000; i++)
		fprintf(f, "this is no database\n");
	fclose(f);
	assert_int_equal(store_open(&s, dir, (struct wall){ now.us + 1000000 }, &opened), 0);
	assert_true(opened.state_lost);
	assert_non_null(strstr(opened.moved_to, "camtrapd.db.corrupt-1795000001"));
	assert_int_equal(access(opened.moved_to, F_OK), 0);
	epoch = opened.epoch;
	assert_true(epoch != 0);
	store_close(s);
	assert_int_equal(store_open(&s, dir, (struct wall){ now.us + 9000000 }, &opened), 0);
	assert_false(opened.state_lost);
	assert_int_equal(opened.epoch, epoch);
	store_close(s);
}

static void
s4_a_newer_file_is_left_as_it_is(void **state)
{
	struct store_opened opened;
	struct stat before, after;
	struct store *s;
	sqlite3 *db;

	(void)state;
	assert_int_equal(store_open(&s, dir, now, &opened), 0);
	store_close(s);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(store_open(&s, dir, now, &opened), -EPROTO);
	store_close(s);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_size == after.st_size);
	assert_int_equal(store_open_reader(&s, dir), -EPROTO);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { CLAIM(what_was_committed_is_there_and_nothing_else), CLAIM(s3_a_broken_file_is_moved_aside_and_said),
		CLAIM(s4_a_newer_file_is_left_as_it_is) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
