/* tests/fuzz/fuzz_v3_report.c: any datagram as a Report: what is borrowed from it lies within it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "notify/v3_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own = malloc(size + 1);	/* of its own: ASan sees a look past its end, whatever the driver's buffer is */
	struct v3_report r;

	assert(own != NULL);
	memcpy(own + 1, data, size);
	if (v3_report_parse(own + 1, size, &r)) {
		assert(r.msg_id >= 0 && r.counter > 0 && r.counter < 0x80);
		assert(r.engine_id > own && r.engine_id_len >= 5 && r.engine_id_len <= 32);
		assert(r.engine_id + r.engine_id_len <= own + 1 + size);
	}
	free(own);
	return 0;
}
