/* agent/views/documents.c: detections and events as JSON, and the filters on them. */
#include "views/documents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/num.h"
#include "base/ulid.h"
#include "model/detection.h"
#include "model/enums.h"
#include "model/json.h"
#include "model/mac.h"

static json_t *
word_or_null(unsigned v, const char *(*word)(unsigned v))
{
	return v != 0 ? json_string(word(v)) : json_null();
}

static json_t *
mac_json(struct mac m)
{
	char text[MAC_TEXT];

	return mac_is_zero(m) ? json_null() : json_string(mac_text(m, text));
}

static json_t *
ip_json(const struct ip *ip)
{
	char text[IP_TEXT];

	return text_or_null(ip_text(ip, text));
}

/* "uk-2022,us-ndaa-889" as a list. */
static json_t *
names_json(const char *text)
{
	json_t *list = json_array();

	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		while (n > 0 && *text == ' ')
			text++, n--;
		if (n > 0)
			json_array_append_new(list, json_stringn(text, n));
		text += n;
		if (*text == ',')
			text++;
	}
	return list;
}

static json_t *
evidence_json(const struct detection *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_evidence && i < EVIDENCE_MAX; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "source", d->evidence[i].source, "key",
		    d->evidence[i].key, "value", d->evidence[i].value, "at", time_json(d->evidence[i].at)));
	return list;
}

static json_t *
waiver_json(const struct detection *d)
{
	if (d->handling != HANDLING_WAIVED)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "by", text_or_null(d->handled_by), "reason", text_or_null(d->handled_why), "until",
	    time_json(d->waived_until));
}

/* "+01:00" or "-05:30" at the end of a time: minutes east of UTC. False: none there. */
static bool
zone_read(const char *p, int *minutes)
{
	uint64_t h, m;
	char hours[3], min[3];

	if (strlen(p) != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':')
		return false;
	memcpy(hours, p + 1, 2);
	memcpy(min, p + 4, 2);
	hours[2] = min[2] = '\0';
	if (num_parse(hours, 0, 23, &h) < 0 || num_parse(min, 0, 59, &m) < 0)
		return false;
	*minutes = (p[0] == '-' ? -1 : 1) * (int)(h * 60 + m);
	return true;
}

int
since_parse(const char *text, struct wall now, struct wall *out)
{
	char copy[40], again[WALL_TEXT];
	struct wall t;
	uint64_t back_ms;
	int minutes = 0;
	size_t n = strlen(text);

	if (duration_parse(text, &back_ms) == 0) {
		if (back_ms > (uint64_t)now.us / 1000)
			return -EINVAL;
		out->us = now.us - (int64_t)back_ms * 1000;
		return 0;
	}
	if (n < 10 || n >= sizeof copy || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	memcpy(copy, text, n + 1);
	for (size_t i = 10; i < n; i++)
		if (copy[i] == 't' || copy[i] == 'z')
			copy[i] -= 32;
	if (n > 16 && zone_read(copy + n - 6, &minutes))
		copy[n - 6] = '\0';
	if (wall_parse(copy, &t) < 0 || t.us <= 0)
		return -EINVAL;
	/* The system's parser takes 31 February for 3 March. */
	if (strncmp(wall_text(t, again), copy, 10) != 0)
		return -EINVAL;
	out->us = t.us - (int64_t)minutes * 60 * 1000000;
	return 0;
}

const char *
filter_read(const json_t *o, struct wall now, struct filter *out)
{
	const struct { const char *key, **text; unsigned *word, (*value)(const char *word); const char *wrong; } keys[] = {
		{ "site", &out->site, NULL, NULL, "site: a text is wanted" },
		{ "switch", &out->switch_name, NULL, NULL, "switch: a text is wanted" },
		{ "vendor", &out->vendor, NULL, NULL, "vendor: a text is wanted" },
		{ "presence", NULL, &out->presence, presence_value, "presence: present, stale or gone" },
		{ "handling", NULL, &out->handling, handling_value, "handling: open, acknowledged, waived or removed" },
		{ "origin", NULL, &out->origin, origin_value, "origin: new, existing, returned or policy" },
		{ "severity", NULL, &out->severity, severity_value, "severity: critical, major, minor or info" },
	};
	const json_t *v;
	struct wall since;

	*out = (struct filter){ 0 };
	if (o == NULL || json_is_null(o))
		return NULL;
	if (!json_is_object(o))
		return "filters: an object is wanted";
	for (size_t i = 0; i < nitems(keys); i++) {
		if ((v = json_object_get(o, keys[i].key)) == NULL || json_is_null(v))
			continue;
		if (!json_is_string(v))
			return keys[i].wrong;
		if (keys[i].text != NULL)
			*keys[i].text = json_string_value(v);
		else if ((*keys[i].word = keys[i].value(json_string_value(v))) == 0)
			return keys[i].wrong;
	}
	if ((v = json_object_get(o, "since")) != NULL && !json_is_null(v)) {
		if (!json_is_string(v) || since_parse(json_string_value(v), now, &since) < 0)
			return "since: a time such as 2026-11-24T00:21:11Z, a date, or a duration back such as 1h or 30d is wanted";
		out->since_us = since.us;
	}
	return NULL;
}

bool
filter_device(const struct filter *f, const struct detection *d)
{
	return (f->id == 0 || f->id == d->id) && (f->site == NULL || strcmp(f->site, d->site) == 0)
	    && (f->switch_name == NULL || strcmp(f->switch_name, d->location.place.switch_name) == 0)
	    && (f->vendor == NULL || strcasestr(d->vendor, f->vendor) != NULL) && (f->presence == 0 || f->presence == d->presence)
	    && (f->handling == 0 || f->handling == d->handling) && (f->origin == 0 || f->origin == d->origin)
	    && (f->severity == 0 || f->severity == d->severity) && (f->since_us == 0 || d->first_seen.us >= f->since_us);
}

bool
filter_event(const struct filter *f, const struct event *e)
{
	return (f->id == 0 || f->id == e->detection_id) && (f->site == NULL || strcmp(f->site, e->site) == 0)
	    && (f->switch_name == NULL || strcmp(f->switch_name, e->switch_name) == 0)
	    && (f->vendor == NULL || strcasestr(e->vendor, f->vendor) != NULL) && (f->presence == 0 || f->presence == e->presence)
	    && (f->handling == 0 || f->handling == e->handling) && (f->origin == 0 || f->origin == e->origin)
	    && (f->severity == 0 || f->severity == e->severity) && (f->since_us == 0 || e->at.us >= f->since_us);
}

json_t *
device_json(const struct detection *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_integer(d->id));
	json_object_set_new(o, "mac", mac_json(d->mac));
	json_object_set_new(o, "vendor", text_or_null(d->vendor));
	json_object_set_new(o, "policies", names_json(d->policies));
	json_object_set_new(o, "presence", word_or_null(d->presence, presence_word));
	json_object_set_new(o, "handling", word_or_null(d->handling, handling_word));
	json_object_set_new(o, "origin", word_or_null(d->origin, origin_word));
	json_object_set_new(o, "confidence", word_or_null(d->confidence, confidence_word));
	json_object_set_new(o, "severity", word_or_null(d->severity, severity_word));
	json_object_set_new(o, "evidence", evidence_json(d));
	json_object_set_new(o, "location", location_json(&d->location));
	json_object_set_new(o, "site", text_or_null(d->site));
	json_object_set_new(o, "ip", ip_json(&d->ip));
	json_object_set_new(o, "firstSeen", time_json(d->first_seen));
	json_object_set_new(o, "lastSeen", time_json(d->last_seen));
	json_object_set_new(o, "arrivedAt", time_json(d->arrived));
	json_object_set_new(o, "waiver", waiver_json(d));
	json_object_set_new(o, "makerReason", text_or_null(d->maker_reason));
	json_object_set_new(o, "conflict", json_boolean(d->conflict));
	return o;
}

json_t *
event_json(const struct event *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(e->id));
	json_object_set_new(o, "sequence", json_integer(e->sequence));
	json_object_set_new(o, "epoch", json_integer(e->epoch));
	json_object_set_new(o, "type", json_string(event_word(e->type)));
	json_object_set_new(o, "at", time_json(e->at));
	json_object_set_new(o, "severity", word_or_null(e->severity, severity_word));
	json_object_set_new(o, "detectionId", number_or_null(e->detection_id));
	json_object_set_new(o, "mac", mac_json(e->mac));
	json_object_set_new(o, "vendor", text_or_null(e->vendor));
	json_object_set_new(o, "policy", text_or_null(e->policy));
	json_object_set_new(o, "confidence", word_or_null(e->confidence, confidence_word));
	json_object_set_new(o, "presence", word_or_null(e->presence, presence_word));
	json_object_set_new(o, "handling", word_or_null(e->handling, handling_word));
	json_object_set_new(o, "origin", word_or_null(e->origin, origin_word));
	json_object_set_new(o, "site", text_or_null(e->site));
	json_object_set_new(o, "switch", text_or_null(e->switch_name));
	json_object_set_new(o, "ifIndex", number_or_null(e->if_index));
	json_object_set_new(o, "port", text_or_null(e->port));
	json_object_set_new(o, "alias", text_or_null(e->alias));
	json_object_set_new(o, "vlan", number_or_null(e->vlan));
	json_object_set_new(o, "ip", ip_json(&e->device_address));
	json_object_set_new(o, "verdict", word_or_null(e->verdict, verdict_word));
	json_object_set_new(o, "reason", text_or_null(e->reason));
	json_object_set_new(o, "evidence", text_or_null(e->evidence));
	json_object_set_new(o, "count", json_integer(e->count));
	json_object_set_new(o, "text", text_or_null(e->text));
	return o;
}

json_t *
presence_json(const struct place *at, struct wall from, struct wall to)
{
	json_t *o = place_json(at);

	json_object_set_new(o, "from", time_json(from));
	json_object_set_new(o, "to", time_json(to));
	return o;
}

void
station_restricted(json_t *station, uint32_t id, unsigned presence, json_t *history)
{
	json_object_set_new(station, "detectionId", json_integer(id));
	json_object_set_new(station, "presence", word_or_null(presence, presence_word));
	json_object_set_new(station, "history", history);
}

json_t *
absent_station_json(const struct detection *d, json_t *history)
{
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:[]}", "mac", mac_json(d->mac), "vendor", text_or_null(d->vendor), "location",
	    location_json(&d->location), "firstSeen", time_json(d->first_seen), "lastSeen", time_json(d->last_seen), "sightings");

	if (o != NULL)
		station_restricted(o, d->id, d->presence, history);
	else
		json_decref(history);
	return o;
}

json_t *
list_document(const char *name, json_t *list)
{
	return json_pack("{s:i, s:o}", "version", 1, name, list);
}

json_t *
error_document(const char *text)
{
	return json_pack("{s:i, s:s}", "version", 1, "error", text);
}
