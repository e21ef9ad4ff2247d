/* tests/unit/test_proc_messages.c: every message between our processes comes back as it went in, and no part of one is taken
 * for a whole one: the other end may have been taken over (threat-model H2, R3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model/rows.h"
#include "proc/messages.h"

#define CODEC(name) \
	static void name##_put(struct buf *b, const void *m) { msg_##name##_encode(b, m); } \
	static int name##_get(struct msg_in *in, void *m) { return msg_##name##_decode(in, m); }
CODEC(peer)
CODEC(process)
CODEC(reload)
CODEC(role)
CODEC(report)
CODEC(deliver)
CODEC(delivered)
CODEC(identity)
CODEC(query)

/* Each field differs from zero and from its neighbours, so that a swap or a lost field shows. */
static const struct msg_peer peer = { PEER_VIEWS, 7 };
static const struct msg_process process = { "poller 3", true, 12, "ended by signal 11 (Segmentation fault)" };
static const struct msg_reload reload_bad = { { 1764000000123456 }, false, "/etc/camtrapd/camtrapd.conf:7: polcy: unknown (and 2 more)" };
static const struct msg_role role = { "engine", ROLE_WAITING, 4711, 9, true, false, { 1764000000654321 } };
static const struct msg_role role_up = { "views", ROLE_UP, 4712, 1, false, true, { 1764000000654322 } };
static const struct msg_report report = { .key = UINT64_C(0x0102030405060708), .sum = UINT64_C(0xf1f2f3f4f5f6f7f8),
	.rows = REPORT_ROWS, .restarted = true, .state = SWITCH_INCOMPLETE, .complete = 0x1a, .started = { 1764000000000001 }, .finished = { 1764000000000002 },
	.began = { 1764000003 }, .uptime_cs = 4, .requests = 5, .timeouts = 6, .missed = 9, .credential = "campus",
	.error = "the walk of dot1qTpFdbTable did not end" };
static const struct msg_deliver deliver = { .row = UINT64_C(1) << 40, .receiver = "noc", .agent = "camtrapd-1", .event = {
	.id = "01JDF6ZQ0V4T8Y3N2M1K0J9H8G", .sequence = 1, .epoch = 2, .type = EVENT_DEVICE_MOVED, .at = { 3 },
	.severity = SEVERITY_MAJOR, .detection_id = 4, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } }, .vendor = "Hikvision", .policy = "uk-2022",
	.confidence = CONFIDENCE_PROBABLE, .presence = PRESENCE_STALE, .handling = HANDLING_WAIVED, .origin = ORIGIN_RETURNED,
	.site = "hq", .switch_name = "acc-sw-07", .switch_location = "floor 2, rack 4", .switch_address = { 4, { 192, 0, 2, 7 } },
	.if_index = 5, .port = "Gi1/0/14", .alias = "door", .vlan = 20, .device_address = { 6, { 0x20, 1, 0xd, 0xb8 } },
	.verdict = VERDICT_SHARED, .reason = "several stations", .evidence = "MA-L", .count = 6, .text = "a line", .seen_at = { 7 },
	.decided_at = { 8 } } };
static const struct msg_delivered delivered = { UINT64_C(1) << 41, DELIVERY_FAILED, 250, "no route to the receiver" };
static const struct msg_identity identity = { { 0x80, 0, 0x1f, 0x88, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, 17, 42 };
static const struct msg_query query = { 77, "find", "44:19:b6", true, 1000 };

static const struct {
	const char	*name;
	const void	*m;
	size_t		 size;
	void		(*put)(struct buf *, const void *);
	int		(*get)(struct msg_in *, void *);
} messages[] = {
	{ "peer", &peer, sizeof peer, peer_put, peer_get },
	{ "process", &process, sizeof process, process_put, process_get },
	{ "reload", &reload_bad, sizeof reload_bad, reload_put, reload_get },
	{ "role, waiting", &role, sizeof role, role_put, role_get },
	{ "role, up", &role_up, sizeof role_up, role_put, role_get },
	{ "report", &report, sizeof report, report_put, report_get },
	{ "deliver", &deliver, sizeof deliver, deliver_put, deliver_get },
	{ "delivered", &delivered, sizeof delivered, delivered_put, delivered_get },
	{ "identity", &identity, sizeof identity, identity_put, identity_get },
	{ "query", &query, sizeof query, query_put, query_get },
};

static void
every_message_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(messages); i++) {
		struct buf b = { 0 };
		void *back = calloc(1, messages[i].size);
		struct msg_in in;

		print_message("%s\n", messages[i].name);
		assert_non_null(back);
		messages[i].put(&b, messages[i].m);
		assert_false(b.bad);
		in = msg_in_of(b.p, b.len);
		assert_int_equal(messages[i].get(&in, back), 0);
		assert_memory_equal(back, messages[i].m, messages[i].size);
		free(back);
		buf_free(&b);
	}
}

static void
no_part_and_no_more_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(messages); i++) {
		struct buf b = { 0 };
		void *back = calloc(1, messages[i].size);
		size_t len;

		print_message("%s\n", messages[i].name);
		assert_non_null(back);
		messages[i].put(&b, messages[i].m);
		len = b.len;
		put_u8(&b, 0);
		for (size_t n = 0; n <= len + 1; n++) {
			uint8_t *exact = malloc(n + (n == 0));	/* of this size, so that the sanitizer sees a read past it */
			struct msg_in in;

			assert_non_null(exact);
			memcpy(exact, b.p, n < b.len ? n : b.len);
			in = msg_in_of(exact, n);
			assert_int_equal(messages[i].get(&in, back), n == len ? 0 : -EBADMSG);
			free(exact);
		}
		free(back);
		buf_free(&b);
	}
}

static int
decode(int (*get)(struct msg_in *, void *), struct buf *b)
{
	static struct msg_deliver room;		/* the largest */
	struct msg_in in = msg_in_of(b->p, b->len);
	int rc = get(&in, &room);

	buf_free(b);
	return rc;
}

static void
values_out_of_range_are_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		struct msg_peer p = { (uint8_t)v, 0 };
		struct msg_report r = report;
		struct msg_delivered d = delivered;
		struct msg_role o = role;

		msg_peer_encode(&b, &p);
		assert_int_equal(decode(peer_get, &b), v >= PEER_POLLER && v <= PEER_VIEWS ? 0 : -EBADMSG);
		r.state = (uint8_t)v;
		msg_report_encode(&b, &r);
		assert_int_equal(decode(report_get, &b), v == SWITCH_OK || v == SWITCH_INCOMPLETE ? 0 : -EBADMSG);
		r.rows = REPORT_NONE;		/* without an answer there are no rows */
		msg_report_encode(&b, &r);
		assert_int_equal(decode(report_get, &b), v >= SWITCH_OK && v <= SWITCH_NEVER ? 0 : -EBADMSG);
		r = report;
		r.rows = (uint8_t)v;
		msg_report_encode(&b, &r);
		assert_int_equal(decode(report_get, &b), v <= REPORT_ROWS ? 0 : -EBADMSG);
		r = report;
		r.complete = (uint8_t)v;
		msg_report_encode(&b, &r);
		assert_int_equal(decode(report_get, &b), v <= ROW_ALL ? 0 : -EBADMSG);
		r = report;
		r.began.ms = v == 0 ? 0 : -(int64_t)v;
		msg_report_encode(&b, &r);
		assert_int_equal(decode(report_get, &b), v == 0 ? 0 : -EBADMSG);
		d.result = (uint8_t)v;
		msg_delivered_encode(&b, &d);
		assert_int_equal(decode(delivered_get, &b), v >= DELIVERY_ACKNOWLEDGED && v <= DELIVERY_FAILED ? 0 : -EBADMSG);
		o.state = (uint8_t)v;
		msg_role_encode(&b, &o);
		assert_int_equal(decode(role_get, &b), v >= ROLE_STARTING && v <= ROLE_WAITING ? 0 : -EBADMSG);
	}
	for (uint8_t n = 0; n <= 40; n++) {
		static const uint8_t id[40] = { 0x80 };

		put_octets(&b, id, n);
		put_u32(&b, 1);
		assert_int_equal(decode(identity_get, &b), n >= 5 && n <= 32 ? 0 : -EBADMSG);
	}
}

/* Nothing quietly truncates: one octet more than the field holds, or a NUL within, refuses the message. */
static void
texts_fit_or_are_refused(void **state)
{
	char text[300];
	struct buf b = { 0 };

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t n = 20; n < 30; n++) {
		put_u32(&b, 1);
		put_octets(&b, text, n);
		put_text(&b, "");
		put_u8(&b, 0);
		put_u32(&b, 0);
		assert_int_equal(decode(query_get, &b), n < sizeof query.command ? 0 : -EBADMSG);
	}
	put_u32(&b, 1);
	put_octets(&b, "sta\0us", 6);
	put_text(&b, "");
	put_u8(&b, 0);
	put_u32(&b, 0);
	assert_int_equal(decode(query_get, &b), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back), cmocka_unit_test(no_part_and_no_more_is_taken),
		cmocka_unit_test(values_out_of_range_are_refused), cmocka_unit_test(texts_fit_or_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
