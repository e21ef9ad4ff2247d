/* tests/fuzz/fuzz_conf.c: conf_decode() takes anything; what it accepts can be encoded again and freed. */
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *c = conf_decode(data, size);

	if (c != NULL) {
		struct buf b = { 0 };

		conf_encode(c, (enum conf_for)data[4], 0, &b);
		buf_free(&b);
		(void)conf_switch(c, "x");
		conf_free(c);
	}
	return 0;
}
