/* tests/replay/test_tables.c: `test_tables RECORDING` reads a recording as a poll would read the device, and prints what
 * `camtrapctl probe --json` would. Used by run_recordings.py. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		if ((poll_steps[r->step].how == POLL_GET ? v->oid_len == r->column[i].len : v->oid_len > r->column[i].len) &&
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

/* What a poll would see of one step in a file. false: it cannot be read, said why. */
static bool
step_read(struct replay *r, const char *path, unsigned *skipped)
{
	const struct poll_step *s = &poll_steps[r->step];
	int e;

	for (r->n = 0; r->n < 8 && s->columns[r->n] != NULL; r->n++)
		r->column[r->n].len = oid_of(s->columns[r->n], r->column[r->n].oid);
	if ((e = recording_read(path, object, r, skipped)) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-e));
		return false;
	}
	tables_step_done(r->t, r->step, true, NULL);
	return true;
}

/* The context of a VLAN is the file NAME@VLAN beside NAME; one that is not there did not answer. */
static bool
vlan_read(struct replay *r, const char *path, unsigned vlan, unsigned *skipped)
{
	const char *dot = strrchr(path, '.');
	char file[4096];

	if (dot == NULL || snprintf(file, sizeof file, "%.*s@%u%s", (int)(dot - path), path, vlan, dot) >= (int)sizeof file ||
	    !tables_context(r->t, (uint16_t)vlan))
		return false;
	for (; r->step < poll_n_steps; r->step++) {
		const struct poll_step *s = &poll_steps[r->step];

		if (s->wanted != NULL && !s->wanted(r->t))
			continue;
		if (access(file, F_OK) < 0)
			tables_step_done(r->t, r->step, false, "no such context");
		else if (!step_read(r, file, skipped))
			return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct replay r = { .t = tables_new(262144) };
	struct vlan_set all, ports;
	unsigned skipped = 0;
	size_t first;
	json_t *j;

	if (argc != 2 || r.t == NULL) {
		fprintf(stderr, "usage: test_tables RECORDING\n");
		return 2;
	}
	for (; r.step < poll_n_steps && poll_steps[r.step].how != POLL_WALK_VLANS; r.step++)
		if ((poll_steps[r.step].wanted == NULL || poll_steps[r.step].wanted(r.t)) && !step_read(&r, argv[1], &skipped))
			return 2;
	first = r.step;
	if (tables_vlans(r.t, &all, &ports))
		for (unsigned vlan = 1; vlan <= VLAN_MAX; vlan++)
			if (vlan_in(&all, vlan)) {
				r.step = first;
				if (!vlan_read(&r, argv[1], vlan, &skipped))
					return 2;
			}
	(void)tables_context(r.t, 0);
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
