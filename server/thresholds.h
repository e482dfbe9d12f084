/*
 * server/thresholds.h - from when on something is said to be near its end: by
 * dockpass check and the server's log, by dockpass doctor, and by the alerts
 * (docker/alerts.yml, which test_thresholds.py holds against this).
 */
#pragma once

enum {
	/* A signing key: another one takes a restart of each registry. */
	KEY_WARN_DAYS = 90,  /* check, log, doctor: warn */
	KEY_ALERT_DAYS = 30, /* DockpassKeyEnds */
	/* TLS: those that live 90 days are renewed 30 before their end. */
	TLS_WARN_DAYS = 30,  /* check, log, doctor: warn */
	TLS_ALERT_DAYS = 14, /* DockpassCertificateEnds */
	/* MiB left for the store. A write copies some pages; a backup or a
	   prune wants more. */
	DISK_WARN_MIB = 256, /* doctor: warn */
	DISK_FULL_MIB = 100, /* doctor: FAIL; DockpassDiskFull */
	/* In percent of what may be used. Doctor: warn, for the store's size
	   and readers; DockpassStoreFull, DockpassReadersFull, and
	   DockpassFull for connections. */
	NEARLY_FULL = 90,
};
