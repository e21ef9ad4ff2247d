/* tests/fuzz/fuzz_messages.c: octets of another of our processes: every decoder, and the packed rows. The first octet chooses. */
#include "model/rows.h"
#include "model/rowset.h"
#include "proc/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_peer peer;
	struct msg_process process;
	struct msg_reload reload;
	struct msg_role role;
	struct msg_report report;
	struct msg_deliver deliver;
	struct msg_delivered delivered;
	struct msg_identity identity;
	struct msg_query query;
	struct detection detection;
	struct rowset set;
	struct row row;
	struct msg_in in;

	if (size == 0)
		return 0;
	in = msg_in_of(data + 1, size - 1);
	switch (data[0] % 12) {
	case 0:
		msg_peer_decode(&in, &peer);
		break;
	case 1:
		msg_process_decode(&in, &process);
		break;
	case 2:
		msg_report_decode(&in, &report);
		break;
	case 3:
		msg_deliver_decode(&in, &deliver);
		break;
	case 4:
		msg_delivered_decode(&in, &delivered);
		break;
	case 5:
		msg_identity_decode(&in, &identity);
		break;
	case 6:
		msg_query_decode(&in, &query);
		break;
	case 10:
		msg_reload_decode(&in, &reload);
		break;
	case 11:
		msg_role_decode(&in, &role);
		break;
	case 7:
		detection_decode(&in, &detection);
		break;
	case 8:
		if (row_unpack(data + 1, size - 1, &row) == 0) {
			struct buf again = { 0 };

			row_pack(&again, &row);
			row_free(&row);
			buf_free(&again);
		}
		break;
	case 9:
		if (rowset_load(&set, data + 1, size - 1) == 0)
			rowset_free(&set);
		if (rowset_unpack(data + 1, size - 1, &set) == 0)
			rowset_free(&set);
		break;
	}
	return 0;
}
