/* tests/replay/test_tables.c: `test_tables RECORDING` reads a recording as a poll would read the device, and prints what
 * `camtrapctl probe --json` would. Used by run_recordings.py. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probe_json.h"
#include "recording.h"

struct replay {
	struct tables	*t;
	size_t		 step;
	size_t		 n;
	struct { uint32_t oid[OID_MAX]; size_t len; } column[8];
};

/* Only what the step asks for. */
static void
object(void *arg, const struct varbind *v)
{
	struct replay *r = arg;

	for (size_t i = 0; i < r->n; i++)
		if ((poll_steps[r->step].get ? v->oid_len == r->column[i].len : v->oid_len > r->column[i].len) &&
		    memcmp(v->oid, r->column[i].oid, r->column[i].len * sizeof *v->oid) == 0) {
			tables_put(r->t, v);
			return;
		}
}

static size_t
oid_of(const char *text, uint32_t *out)
{
	size_t n = 0;

	while (*text != '\0' && n < OID_MAX) {
		char *end;

		out[n++] = (uint32_t)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct replay r = { .t = tables_new(262144) };
	unsigned skipped = 0;
	json_t *j;
	int e;

	if (argc != 2 || r.t == NULL) {
		fprintf(stderr, "usage: test_tables RECORDING\n");
		return 2;
	}
	for (r.step = 0; r.step < poll_n_steps; r.step++) {
		const struct poll_step *s = &poll_steps[r.step];

		if (s->wanted != NULL && !s->wanted(r.t))
			continue;
		for (r.n = 0; r.n < 8 && s->columns[r.n] != NULL; r.n++)
			r.column[r.n].len = oid_of(s->columns[r.n], r.column[r.n].oid);
		if ((e = recording_read(argv[1], object, &r, &skipped)) < 0) {
			fprintf(stderr, "%s: %s\n", argv[1], strerror(-e));
			return 2;
		}
		tables_step_done(r.t, r.step, true, NULL);
	}
	if (tables_join(r.t) < 0 || (j = probe_json(r.t, 0)) == NULL) {
		fprintf(stderr, "%s: out of memory\n", argv[1]);
		return 2;
	}
	if (skipped > 0)
		fprintf(stderr, "%s: %u lines not understood\n", argv[1], skipped);
	json_dumpf(j, stdout, PROBE_JSON_FLAGS);
	putchar('\n');
	json_decref(j);
	tables_free(r.t);
	return 0;
}
