/*-------------------------------------------------------------------------
 *
 * filecopy.c
 *	  Sessions that copy files of the running server.
 *
 * pg_rewind reads pages of its source while they change (pg_read_binary_file()), and
 * relies on their images to mend those it reads in the middle of a write.  It asks
 * for full_page_writes once, when it connects, and then recovers its target first;
 * by the time it copies, images may have gone off: a server that was promoted a moment
 * ago has them on, but soon off; a pause comes to an end.  (libpq_source.c, pg_rewind.c
 * of 15 to 19.  With stock a user's reload could do that, here it happens by itself.)
 *
 * So a session that has asked (SHOW full_page_writes) and was told that images are on, and
 * then reads files of the server, keeps them on until it ends.  Its first read waits for
 * a checkpoint that begins with images on, because pages that changed before, without,
 * may be written only now.  If they have gone off in between it fails, before it has
 * copied anything.  Who reads files without having asked is not concerned.
 *
 * On a standby images are the primary's.  There each read looks again whether WAL that
 * has been replayed since the last restartpoint had them, and none since it asked said
 * that they are off; pg_rewind reads pg_control last, so it finds out.
 *
 * What a rewound server replays begins before the history of both parts, where images
 * may have been off.  With checksums it therefore cannot read a page that was copied torn
 * and has records there, until ignore_checksum_failure lets it (operations guide): the
 * page was written after the checkpoint, so both halves are newer than these records,
 * which are passed over until its image comes.  It is not set by itself: it could hide
 * a page that is damaged for another reason.  The log of such a start says what to do.
 *
 * The moment is that in which the executor asks whether the function may be executed.  The
 * hook is set in sessions that have asked only: with one set, 17 and later look up
 * search_path anew for each function that sets it.
 *
 * Locks: those of fpw.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "catalog/objectaccess.h"

#include "compat.h"
#include "filecopy.h"
#include "fpw.h"

static object_access_hook_type prev_object_access = NULL;

static void
refuse(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("full-page images have gone off since this session asked for full_page_writes"),
			 errdetail("Pages that are copied while they are written could be torn beyond repair."),
			 RecoveryInProgress() ?
			 errhint("Copy from the primary, in a pause (smgr_atomic_pause()).") :
			 errhint("Copy again in a pause (smgr_atomic_pause()).")));
}

static void
filecopy_object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (prev_object_access)
		prev_object_access(access, class, object, sub, arg);
	if (access == OAT_FUNCTION_EXECUTE && saReadsBinaryFiles(object) && !sa_fpw_keep_images())
		refuse();
}

/* This session has asked for full_page_writes. */
void
sa_filecopy_asked(void)
{
	if (!sa_fpw_told_images() || object_access_hook == filecopy_object_access)
		return;
	prev_object_access = object_access_hook;
	object_access_hook = filecopy_object_access;
}

/* Does this start use what pg_rewind has made? */
static bool
is_rewound(void)
{
	FILE	   *label = fopen(BACKUP_LABEL_FILE, "r");
	char		line[MAXPGPATH];
	bool		found = false;

	if (label == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), label) != NULL)
		found = strcmp(line, "BACKUP METHOD: pg_rewind\n") == 0;
	fclose(label);
	return found;
}

/* Postmaster, at the start of a server with checksums. */
void
sa_filecopy_warn_rewound(void)
{
	if (!is_rewound())
		return;
	ereport(LOG,
			(errmsg("smgr_atomic: pg_rewind has made this data directory, and it has checksums"),
			 errdetail("Replay may stop with \"invalid page in block ...\" at a page that pg_rewind has read in the middle of a write: "
					   "WAL has its image, but may have other records of it before."),
			 errhint("Should that happen, start with ignore_checksum_failure = on until the server has caught up with its source, "
					 "then restart it without.")));
}
