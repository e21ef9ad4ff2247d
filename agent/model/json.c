/* agent/model/json.c: times, places and locations, the same in every document. */
#include "model/json.h"

#include "model/enums.h"

json_t *
time_json(struct wall t)
{
	char text[WALL_TEXT];

	return t.us == 0 ? json_null() : json_string(wall_text(t, text));
}

json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

json_t *
number_or_null(uint32_t v)
{
	return v != 0 ? json_integer(v) : json_null();
}

json_t *
place_json(const struct place *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "switch", text_or_null(p->switch_name), "ifIndex", number_or_null(p->if_index),
	    "port", text_or_null(p->port), "alias", text_or_null(p->alias), "vlan", number_or_null(p->vlan));
}

json_t *
location_json(const struct location *l)
{
	json_t *o = place_json(&l->place), *candidates = json_array();

	for (size_t i = 0; i < l->n_candidates && i < CANDIDATES_MAX; i++)
		json_array_append_new(candidates, place_json(&l->candidates[i]));
	json_object_set_new(o, "verdict", json_string(verdict_word(l->verdict != 0 ? l->verdict : VERDICT_UNKNOWN)));
	json_object_set_new(o, "reasonCode", json_string(reason_word(l->reason != 0 ? l->reason : REASON_PENDING)));
	json_object_set_new(o, "reason", text_or_null(l->reason_text));
	json_object_set_new(o, "candidates", candidates);
	return o;
}
