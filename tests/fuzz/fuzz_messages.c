/* tests/fuzz/fuzz_messages.c: octets of another of our processes, or of a damaged database: every decoder, and the packed rows. What
 * one accepts is the same when encoded and decoded again. The first octet chooses. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/policy.h"
#include "model/rows.h"
#include "model/rowset.h"
#include "proc/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes; what was accepted must encode to octets that decode and encode to themselves. */
#define AGAIN(in, type, decode, encode)							\
	do {										\
		static struct type m;							\
		struct buf once = { 0 }, twice = { 0 };					\
											\
		if (decode(in, &m) == 0) {						\
			encode(&once, &m);						\
			assert(!once.bad);						\
			*(in) = msg_in_of(once.p, once.len);				\
			assert(decode(in, &m) == 0 && msg_in_done(in));			\
			encode(&twice, &m);						\
			assert(once.len == twice.len && memcmp(once.p, twice.p, once.len) == 0); \
		}									\
		buf_free(&once);							\
		buf_free(&twice);							\
	} while (0)

static void
row_again(const uint8_t *p, size_t n)
{
	struct buf b = { 0 };
	struct row row;

	if (row_unpack(p, n, &row) < 0)
		return;
	row_pack(&b, &row);
	row_free(&row);
	assert(!b.bad && row_unpack(b.p, b.len, &row) == 0);
	row_free(&row);
	buf_free(&b);
}

static void
count_row(void *arg, struct row_ref row)
{
	(void)row;
	++*(size_t *)arg;
}

static void
set_again(const uint8_t *p, size_t n)
{
	struct rowset s, packed, nothing = { 0 };
	struct buf blob = { 0 };
	size_t rows = 0, differences = 0;
	struct row_ref r;

	if (rowset_unpack(p, n, &s) == 0)
		rowset_free(&s);
	if (rowset_load(&s, p, n) < 0)
		return;
	for (size_t at = 0; rowset_next(&s, &at, &r); rows++)
		row_again(r.p, r.n);
	assert(rows == s.count);
	rowset_pack(&s, &blob);
	assert(rowset_unpack(blob.p, blob.len, &packed) == 0 && packed.count == s.count && packed.bytes.len == s.bytes.len);
	rowset_diff(&s, &packed, count_row, count_row, &differences);
	assert(differences == 0);
	rowset_diff(&nothing, &s, count_row, count_row, &differences);
	assert(differences == rows);
	assert(rowset_keep(&nothing, &s, 0) == 0 && nothing.count == rows);
	assert(rowset_keep(&packed, &nothing, ROW_ALL) == 0 && packed.count == rows);
	buf_free(&blob);
	rowset_free(&nothing), rowset_free(&packed), rowset_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policies policies;
	struct msg_in in;

	if (size == 0)
		return 0;
	in = msg_in_of(data + 1, size - 1);
	switch (data[0] % 16) {
	case 0:
		AGAIN(&in, msg_peer, msg_peer_decode, msg_peer_encode);
		break;
	case 1:
		AGAIN(&in, msg_process, msg_process_decode, msg_process_encode);
		break;
	case 2:
		AGAIN(&in, msg_report, msg_report_decode, msg_report_encode);
		break;
	case 3:
		AGAIN(&in, msg_deliver, msg_deliver_decode, msg_deliver_encode);
		break;
	case 4:
		AGAIN(&in, msg_delivered, msg_delivered_decode, msg_delivered_encode);
		break;
	case 5:
		AGAIN(&in, msg_identity, msg_identity_decode, msg_identity_encode);
		break;
	case 6:
		AGAIN(&in, msg_query, msg_query_decode, msg_query_encode);
		break;
	case 7:
		AGAIN(&in, detection, detection_decode, detection_encode);
		break;
	case 8:
		row_again(data + 1, size - 1);
		break;
	case 9:
		set_again(data + 1, size - 1);
		break;
	case 10:
		AGAIN(&in, event, event_decode, event_encode);
		break;
	case 11:
		AGAIN(&in, location, location_decode, location_encode);
		break;
	case 12:
		if (policies_decode(&in, &policies) == 0) {
			struct buf b = { 0 };

			policies_encode(&b, &policies);
			assert(!b.bad);
			buf_free(&b);
			policies_free(&policies);
		}
		break;
	case 13:
		AGAIN(&in, msg_reload, msg_reload_decode, msg_reload_encode);
		break;
	case 14:
		AGAIN(&in, msg_role, msg_role_decode, msg_role_encode);
		break;
	case 15:
		AGAIN(&in, msg_counters, msg_counters_decode, msg_counters_encode);
		break;
	}
	return 0;
}
