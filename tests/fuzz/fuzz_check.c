/* tests/fuzz/fuzz_check.c: any text as a threshold, and as what a device says: a range that is taken reads again to the same, and what
 * is printed is harmless whatever came in. The first octet is the room for the text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "check/range.h"
#include "check/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
as_range(const char *s)
{
	struct range r, again;

	if (range_parse(s, &r) < 0)
		return;
	assert(r.set && r.start <= r.end && strcmp(r.text, s) == 0 && strspn(s, "@~:.-0123456789") == strlen(s));
	assert(range_parse(r.text, &again) == 0 && again.start == r.start && again.end == r.end && again.inside == r.inside);
	assert(range_alerts(&r, r.end) == r.inside && range_alerts(&r, r.start) == r.inside);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s, *out, *clean;
	size_t room;

	if (size == 0)
		return 0;
	room = 1 + data[0];
	s = malloc(size);		/* each of its own size: a step past it is caught */
	out = malloc(room);
	clean = malloc(room);
	assert(s != NULL && out != NULL && clean != NULL);
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	as_range(s);
	result_escape(out, room, s);
	assert(strlen(out) < room && strpbrk(out, "|`$&<>\"'\\\n\r") == NULL);
	assert(text_clean(clean, room, out, strlen(out)) <= strlen(out));
	free(s), free(out), free(clean);
	return 0;
}
