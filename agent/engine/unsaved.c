/* agent/engine/unsaved.c: the disk takes nothing: what is decided meanwhile is kept in memory and told from there, and written as
 * soon as the disk is well, with the ids that it was told with. The one exception to "on disk before it is sent"; a crash in that
 * time loses the memory of it, so that what is still so is found and told anew. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

#define EVENTS_MAX 8192			/* some 12 MB */
#define PRESENCES_MAX 8192
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 8000
#define MENDED_MS 10000			/* a disk at its brim fails and is well by turns: one alarm */
#define BROKEN_MS 10000			/* for what is in memory to be sent */

bool
in_memory(const struct engine *e)
{
	return e->storage == STORAGE_FAILED && !e->unsaved.writing;
}

/* ---- counters */

int
unsaved_load(struct engine *e)
{
	int rc = 0;

	for (enum store_counter c = 0; c < COUNTERS && rc == 0; c++)
		rc = store_counter(e->store, c, &e->unsaved.last[c]);
	return rc;
}

/* The numbers given out from memory begin at a distance that is drawn: if we die before they are on disk, the next engine does not
 * know of them, and must not give the same ones to others. */
static uint32_t
gap(struct engine *e)
{
	uint8_t r[2];

	e->ops->random(e->arg, r, sizeof r);
	return (uint32_t)(r[0] << 8 | r[1]) + 1;
}

int
counter_next(struct engine *e, enum store_counter c, uint32_t *out)
{
	struct unsaved *u = &e->unsaved;
	int rc;

	if (!in_memory(e)) {
		if ((rc = store_next(e->store, c, out)) == 0)
			u->drawn[c] = *out;
		return rc;
	}
	if (u->gap_owed[c] && u->last[c] < UINT32_MAX - UINT16_MAX - 1)
		u->last[c] += gap(e);
	u->gap_owed[c] = false;
	if (u->last[c] == UINT32_MAX)
		return -ERANGE;
	*out = ++u->last[c];
	return 0;
}

void
counters_committed(struct engine *e)
{
	for (size_t c = 0; c < COUNTERS; c++)
		if (e->unsaved.drawn[c] > e->unsaved.last[c])
			e->unsaved.last[c] = e->unsaved.drawn[c];
}

/* ---- events */

void
unsaved_free(struct engine *e)
{
	free(e->unsaved.events);
	free(e->unsaved.presences);
}

/* The oldest that everybody has heard of make room, an eighth of all at once: what is missing is a line in the log. */
static void
make_room(struct engine *e)
{
	struct unsaved *u = &e->unsaved;
	size_t kept = 0, gone = 0;

	if (u->n_heard == 0)
		return;
	for (size_t i = 0; i < u->n_events; i++) {
		if (u->events[i].waiting == 0 && gone < EVENTS_MAX / 8)
			gone++;
		else
			u->events[kept++] = u->events[i];
	}
	assert(kept + gone == u->n_events && gone <= u->n_heard);
	u->n_events = kept;
	u->n_heard -= gone;
	e->counters[CNT_EVENTS_DROPPED] += gone;
}

int
unsaved_room(struct engine *e, size_t n)
{
	struct unsaved *u = &e->unsaved;

	if (u->n_events + n > EVENTS_MAX)
		make_room(e);
	if (u->n_events + n > EVENTS_MAX)
		return -ENOSPC;
	while (u->cap_events < u->n_events + n)
		if (array_grow((void **)&u->events, u->cap_events, &u->cap_events, sizeof *u->events) < 0)
			return -ENOMEM;
	return 0;
}

void
unsaved_add(struct engine *e, const struct event *ev, uint64_t first_row, uint32_t n_rows)
{
	struct unsaved *u = &e->unsaved;

	assert(u->n_events < u->cap_events);
	u->events[u->n_events++] = (struct unsaved_event){ *ev, first_row, n_rows, n_rows };
	u->n_heard += n_rows == 0;
	e->counters[CNT_EVENTS_FROM_MEMORY]++;
}

/* A device that jumps about makes one with each poll, told or not: where it was long ago is what is missed least. */
int
unsaved_presence_add(struct engine *e, const struct unsaved_presence *p)
{
	struct unsaved *u = &e->unsaved;
	size_t gone = u->n_presences >= PRESENCES_MAX ? PRESENCES_MAX / 8 : 0;

	if (array_grow((void **)&u->presences, u->n_presences, &u->cap_presences, sizeof *u->presences) < 0)
		return -ENOMEM;
	if (gone > 0) {
		u->n_presences -= gone;
		u->mark_presences -= u->mark_presences < gone ? u->mark_presences : gone;
		memmove(u->presences, u->presences + gone, u->n_presences * sizeof *u->presences);
		e->counters[CNT_EVENTS_DROPPED] += gone;
	}
	u->presences[u->n_presences++] = *p;
	return 0;
}

static struct unsaved_event *
event_of_row(const struct engine *e, uint64_t row)
{
	const struct unsaved *u = &e->unsaved;
	size_t low = 0, high = u->n_events;

	while (low < high) {			/* the last one that does not begin behind it */
		size_t middle = (low + high) / 2;

		if (u->events[middle].first_row <= row)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && u->events[low - 1].n_rows == 0)
		low--;
	return low > 0 && row - u->events[low - 1].first_row < u->events[low - 1].n_rows ? &u->events[low - 1] : NULL;
}

int
unsaved_event(const struct engine *e, uint64_t row, struct event *out)
{
	const struct unsaved_event *x = event_of_row(e, row);

	if (x == NULL)
		return -ENOENT;
	*out = x->event;
	return 0;
}

void
unsaved_row_done(struct engine *e, uint64_t row)
{
	struct unsaved *u = &e->unsaved;
	struct unsaved_event *x = event_of_row(e, row);

	if (x == NULL || x->waiting == 0)
		return;
	if (--x->waiting > 0)
		return;
	if (x->event.type != EVENT_HEARTBEAT) {
		u->n_heard++;			/* it is owed to the log */
		return;
	}
	assert(u->n_events > 0 && x < u->events + u->n_events);
	u->n_events--;
	memmove(x, x + 1, (size_t)(u->events + u->n_events - x) * sizeof *x);
}

/* ---- writing what is owed */

static int
row_save(void *arg, const char *receiver, uint64_t unsaved, uint64_t *row)
{
	struct engine *e = arg;
	const struct unsaved_event *x = event_of_row(e, unsaved);

	*row = 0;				/* a bug, if ever: it is given up and counted when it is read */
	return x != NULL ? store_outbox_put(e->store, receiver, &x->event, row) : 0;
}

static int
small_things_write(struct engine *e)
{
	const struct unsaved *u = &e->unsaved;
	int rc = 0;

	/* Written in any case: this is what shows that the disk takes something. */
	for (enum store_counter c = 0; c < COUNTERS && rc == 0; c++)
		rc = store_counter_put(e->store, c, u->last[c]);
	if (rc == 0 && u->state_lost)
		rc = state_lost_save(e, e->state_lost[0] == '\0');
	if (rc == 0 && e->engine_id_len > 0)
		rc = store_meta_put(e->store, "engine-id", e->engine_id, e->engine_id_len);
	if (rc == 0 && u->conflicts)
		rc = conflicts_save(e);
	if (rc == 0 && u->policies)
		rc = policies_save(e);
	return rc;
}

static int
rows_write(struct engine *e)
{
	const struct unsaved *u = &e->unsaved;
	size_t n_done;
	const uint64_t *done = outbox_done(e->outbox, &n_done);
	int rc = 0;

	for (size_t i = 0; i < n_done && rc == 0; i++)
		rc = store_outbox_done(e->store, done[i]);
	for (size_t i = 0; i < e->net.n_switches && rc == 0; i++)
		if (e->net.switches[i]->state_dirty)
			rc = switch_write(e, e->net.switches[i], false);
	for (size_t i = 0; i < e->n_findings && rc == 0; i++)
		if ((e->findings[i]->unsaved || e->findings[i]->dirty) && e->findings[i]->d.id != 0)
			rc = store_detection_put(e->store, &e->findings[i]->d);
	for (size_t i = 0; i < u->n_presences && rc == 0; i++)
		rc = store_presence_put(e->store, u->presences[i].detection_id, &u->presences[i].at, u->presences[i].from, u->presences[i].to);
	for (size_t i = 0; i < u->n_events && rc == 0; i++)
		if (u->events[i].event.type != EVENT_HEARTBEAT)
			rc = store_event_put(e->store, &u->events[i].event);
	return rc == 0 ? outbox_save(e->outbox, row_save, e) : rc;
}

static void
all_is_saved(struct engine *e)
{
	struct unsaved *u = &e->unsaved;

	outbox_saved(e->outbox);
	outbox_settled(e->outbox);
	for (size_t i = 0; i < e->n_findings; i++)
		if (e->findings[i]->d.id != 0)
			e->findings[i]->unsaved = e->findings[i]->dirty = false;
	u->saved += u->n_events;
	u->n_events = u->n_heard = u->n_presences = 0;
	u->conflicts = u->policies = u->state_lost = false;
}

/* In one transaction all that was told or will be. `tables`: with those that it was told from. */
static int
debt_write(struct engine *e, bool tables)
{
	int rc = store_begin(e->store);

	assert(!e->unsaved.writing);
	e->unsaved.writing = true;
	if (rc == 0 && (rc = small_things_write(e)) == 0 && (rc = rows_write(e)) == 0 && (!tables || (rc = tables_write(e)) == 0))
		rc = store_commit(e->store);
	if (rc < 0)
		store_rollback(e->store);
	else if (tables)
		tables_written(e);
	e->unsaved.writing = false;
	if (rc == 0)
		all_is_saved(e);
	return rc;
}

static void
storage_try(struct engine *e, struct moment now)
{
	struct unsaved *u = &e->unsaved;
	int rc = debt_write(e, true);

	/* A disk at its brim may have room for what was told and none for large tables: these wait for the batch then. */
	if (rc < 0 && e->tables_dirty)
		rc = debt_write(e, false);
	if (rc < 0) {
		storage_failed(e, rc, now);
		return;
	}
	e->storage = STORAGE_MENDED;
	u->mended_at = now.mono;
	batch_write(e, true, now);		/* if this fails, so has the disk */
}

/* ---- the failure and its end */

void
storage_failed(struct engine *e, int rc, struct moment now)
{
	struct unsaved *u = &e->unsaved;

	assert(rc < 0);
	e->counters[CNT_STORE_FAILURES]++;
	if (e->storage != STORAGE_FAILED && (rc == -ENOMEM || rc == -ERANGE))
		return;				/* a limit of ours, not the disk: that one piece of work is tried again */
	text_cut(u->why, sizeof u->why, rc == -ENOMEM ? "out of memory" : store_error(e->store));
	u->broken = u->broken || rc == -EBADMSG;
	if (e->storage == STORAGE_OK) {
		log_error("the database cannot be written: %s; what is decided is kept in memory and sent from there", u->why);
		u->trouble_owed = true;
		u->saved = 0;
		u->backoff_ms = RETRY_MIN_MS / 2;
	}
	if (e->storage != STORAGE_FAILED) {
		u->failed_at = now.mono;
		for (size_t c = 0; c < COUNTERS; c++)
			u->gap_owed[c] = true;
	}
	e->storage = STORAGE_FAILED;
	u->backoff_ms = u->backoff_ms * 2 < RETRY_MAX_MS ? u->backoff_ms * 2 : RETRY_MAX_MS;
	u->retry_at = mono_add(now.mono, u->backoff_ms);
}

static void
trouble_tell(struct engine *e, struct moment now)
{
	struct event ev;
	char text[160];

	text_printf(text, sizeof text, "storage failed: %s", e->unsaved.why);
	event_of_agent(EVENT_AGENT_TROUBLE, SEVERITY_MAJOR, text, &ev);
	event_owe(e, &ev, now);
	e->unsaved.trouble_owed = false;
}

static void
recovery_tell(struct engine *e, struct moment now)
{
	struct event ev;
	char text[160];

	text_printf(text, sizeof text, "storage works again: %llu events that were kept in memory are on disk",
	    (unsigned long long)e->unsaved.saved);
	event_of_agent(EVENT_AGENT_RECOVERED, SEVERITY_INFO, text, &ev);
	log_info("%s", text);
	e->unsaved.broken = false;		/* the next failure speaks for itself */
	e->storage = STORAGE_OK;		/* first: that this cannot be written is another episode */
	event_owe(e, &ev, now);
}

void
storage_stop(struct engine *e, struct moment now)
{
	if (e->unsaved.trouble_owed)
		trouble_tell(e, now);
	if (e->storage == STORAGE_FAILED)
		storage_try(e, now);
	if (e->storage == STORAGE_MENDED)
		recovery_tell(e, now);		/* nobody would remember that it is owed */
}

int64_t
storage_tick(struct engine *e, struct moment now)
{
	struct unsaved *u = &e->unsaved;

	if (u->trouble_owed)
		trouble_tell(e, now);
	if (e->storage == STORAGE_FAILED && mono_since(u->retry_at, now.mono) >= 0)
		storage_try(e, now);
	if (e->storage == STORAGE_FAILED)
		return mono_since(now.mono, u->retry_at);
	if (e->storage == STORAGE_OK)
		return 60000;
	if (mono_since(u->mended_at, now.mono) < MENDED_MS)
		return MENDED_MS - mono_since(u->mended_at, now.mono);
	recovery_tell(e, now);
	return 1;
}

/* ---- our SNMP engine: without an identity nothing can be sent */

#define ENGINE_ID_OCTETS 17		/* SnmpEngineID: enterprise 8072 with the top bit set, format 5 (octets), 12 random */

static int
engine_id_read(struct engine *e)
{
	static const uint8_t prefix[] = { 0x80, 0x00, 0x1f, 0x88, 0x05 };
	struct buf b = { 0 };
	int rc = e->engine_id_len > 0 ? 0 : store_meta_get(e->store, "engine-id", &b);

	if (rc == 0 && e->engine_id_len == 0 && b.len >= 5 && b.len <= sizeof e->engine_id) {
		memcpy(e->engine_id, b.p, b.len);
		e->engine_id_len = b.len;
	} else if (rc == -ENOENT) {
		memcpy(e->engine_id, prefix, sizeof prefix);
		e->ops->random(e->arg, e->engine_id + sizeof prefix, ENGINE_ID_OCTETS - sizeof prefix);
		e->engine_id_len = ENGINE_ID_OCTETS;
		rc = 0;
	} else if (rc == 0 && e->engine_id_len == 0)
		rc = -EBADMSG;
	buf_free(&b);
	return rc;
}

static int
identity_write(struct engine *e, uint32_t *boots)
{
	int rc = change_begin(e);

	if (rc == 0 && !in_memory(e))
		rc = store_meta_put(e->store, "engine-id", e->engine_id, e->engine_id_len);
	return rc == 0 ? counter_next(e, COUNTER_BOOTS, boots) : rc;
}

int
engine_identity(struct engine *e, struct msg_identity *id, struct moment now)
{
	int rc = engine_id_read(e);

	*id = (struct msg_identity){ 0 };
	if (rc < 0)
		return rc;
	do
		rc = identity_write(e, &id->boots);
	while ((rc = change_end(e, rc, "our SNMP engine's boots", now)) == -EAGAIN);
	memcpy(id->engine_id, e->engine_id, e->engine_id_len);
	id->engine_id_len = (uint8_t)e->engine_id_len;
	return rc;
}

bool
engine_is_over(const struct engine *e, struct moment now)
{
	return e->storage == STORAGE_FAILED && e->unsaved.broken && mono_since(e->unsaved.failed_at, now.mono) >= BROKEN_MS;
}
