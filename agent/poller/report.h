/* agent/poller/report.h: from the tables of a poll to the messages of a report. */
#ifndef CAMTRAPD_REPORT_H
#define CAMTRAPD_REPORT_H
#include "model/rowset.h"
#include "poller/tables.h"
#include "proc/chan.h"
#include "proc/messages.h"

/* 0 or -ENOMEM. */
int	report_rows(const struct tables *t, struct rowset *out);
/* Begin, rows, end. 0, or a negative errno: the report is not whole. `rows` NULL: none. */
int	report_put(struct chan *c, const struct msg_report *m, const struct rowset *rows);
#endif
