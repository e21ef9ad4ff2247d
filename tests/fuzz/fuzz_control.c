/* tests/fuzz/fuzz_control.c: a line on the control socket, as views takes it: one answer comes, and it is one JSON document. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define control_send answer_take	/* the answer comes here instead of to a client */
#define control_wait wait_take		/* nobody else is there */
#define control_keep keep_take
#define control_kept kept_take
#define control_has has_take
#include "views/views.c"
#undef control_send

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answers;

void
answer_take(struct control *c, uint32_t id, const void *p, size_t n, bool more)
{
	json_t *document = json_loadb(p, n, 0, NULL);

	(void)c;
	assert(id == 7 && !more && json_is_object(document));
	assert(json_integer_value(json_object_get(document, "version")) == 1);
	json_decref(document);
	answers++;
}

void
wait_take(struct control *c, uint32_t id, unsigned seconds)
{
	(void)c, (void)id, (void)seconds;
}

static void *kept;
static void (*kept_free)(void *p);

void
keep_take(struct control *c, uint32_t id, void *p, void (*free_p)(void *p))
{
	(void)c, (void)id;
	kept = p;
	kept_free = free_p;
}

void *
kept_take(struct control *c, uint32_t id)
{
	(void)c, (void)id;
	return kept;
}

bool
has_take(const struct control *c, uint32_t id)
{
	(void)c, (void)id;
	return true;
}

static char dir[64];

static void
clean_up(void)
{
	char path[96];

	for (const char *const *tail = (const char *const[]){ "", "-wal", "-shm", NULL }; *tail != NULL; tail++) {
		snprintf(path, sizeof path, "%s/camtrapd.db%s", dir, *tail);
		unlink(path);
	}
	rmdir(dir);
}

/* One device with an event, so that filters have something to let through. */
static void
store_make(void)
{
	struct detection d = { .id = 1, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } }, .vendor = "Hikvision", .presence = PRESENCE_PRESENT,
		.handling = HANDLING_OPEN, .origin = ORIGIN_NEW, .confidence = CONFIDENCE_CONFIRMED, .severity = SEVERITY_MAJOR, .site = "hq",
		.first_seen = { 1795000000000000 }, .last_seen = { 1795000000000000 } };
	struct event e = { .id = "01ARYZ6S41ZZZZZZZZZZZZZZZZ", .sequence = 1, .type = EVENT_DEVICE_DETECTED, .at = { 1795000000000000 },
		.severity = SEVERITY_MAJOR, .detection_id = 1 };
	struct store_opened opened;
	struct store *s;

	snprintf(dir, sizeof dir, "%s/camtrapd-fuzz-XXXXXX", access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	assert(mkdtemp(dir) != NULL);
	atexit(clean_up);
	assert(store_open(&s, dir, wall_now(), &opened) == 0 && store_begin(s) == 0 && store_detection_put(s, &d) == 0);
	assert(store_event_put(s, &e) == 0 && store_presence_put(s, 1, &d.location.place, d.first_seen, d.last_seen) == 0);
	assert(store_commit(s) == 0);
	store_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf conf = { .state_dir = dir };
	static struct views v = { .conf = &conf };

	if (dir[0] == '\0')
		store_make();
	answers = 0;
	request(&v, 7, 1000, (const char *)data, size);
	assert(answers == 1);
	if (kept != NULL)
		kept_free(kept);
	kept = NULL;
	return 0;
}
