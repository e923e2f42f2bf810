/*-------------------------------------------------------------------------
 *
 * tornpages.c
 *	  SQL function smgr_atomic_torn_pages(): verify the checksums of a
 *	  relation's pages as storage has them.
 *
 * Reads past shared buffers, where a page may be newer and whole while storage
 * has half of it.  A page that is being written at this moment can look
 * damaged, so a mismatch counts only if it is still there after some pauses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "common/relpath.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "smgr_atomic.h"
#include "writebehind.h"

PG_FUNCTION_INFO_V1(smgr_atomic_torn_pages);

#define READS 5
#define READ_PAUSE_US 20000

static void
check_permission(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read storage"),
				 errhint("Only superusers and members of pg_read_server_files may do this.")));
	if (!DataChecksumsEnabled())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("data checksums are not enabled in this cluster"),
				 errdetail("Without them a torn page cannot be told from a whole one."),
				 errhint("Enable them with pg_checksums while the server is stopped.")));
}

static Relation
open_relation(Oid oid)
{
	Relation	rel = relation_open(oid, AccessShareLock);

	if (!RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" has no storage", RelationGetRelationName(rel))));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("relation \"%s\" is temporary", RelationGetRelationName(rel)),
				 errdetail("Temporary relations do not survive a crash.")));
	return rel;
}

/* The rules are the server's when it reads a page (PageIsVerified()), and a page's size. */
static bool
page_is_sound(char *page, BlockNumber block)
{
	PageHeader	p = (PageHeader) page;

	if (PageIsNew((Page) page))
	{
		for (int i = 0; i < BLCKSZ; i++)
		{
			if (page[i] != 0)
				return false;
		}
		return true;			/* never written */
	}
	return pg_checksum_page(page, block) == p->pd_checksum &&
		PageGetPageSize((Page) page) == BLCKSZ &&
		(p->pd_flags & ~PD_VALID_FLAG_BITS) == 0 &&
		p->pd_lower <= p->pd_upper && p->pd_upper <= p->pd_special &&
		p->pd_special <= BLCKSZ && p->pd_special == MAXALIGN(p->pd_special);
}

/*
 * Is the page as storage has it whole?  Fills page with what was read last.
 */
static bool
page_is_whole(SMgrRelation reln, ForkNumber fork, BlockNumber block, char *page)
{
	for (int i = 0; i < READS; i++)
	{
		if (i > 0)
			pg_usleep(READ_PAUSE_US);
		saMdReadPage(reln, fork, block, page);
		if (page_is_sound(page, block))
			return true;
	}
	return false;
}

Datum
smgr_atomic_torn_pages(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ForkNumber	fork = forkname_to_number(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	SaPageBuffer page;
	Relation	rel;
	SMgrRelation reln;
	BlockNumber nblocks;

	sa_require_preload();
	check_permission();
	InitMaterializedSRF(fcinfo, 0);
	rel = open_relation(PG_GETARG_OID(0));
	reln = RelationGetSmgr(rel);
	nblocks = smgrexists(reln, fork) ? smgrnblocks(reln, fork) : 0;
	sa_pool_drain_file(saRelFile(reln), fork, -1);

	for (BlockNumber block = 0; block < nblocks; block++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false};

		CHECK_FOR_INTERRUPTS();
		if (page_is_whole(RelationGetSmgr(rel), fork, block, page.data))
			continue;
		values[0] = Int64GetDatum(block);
		values[1] = LSNGetDatum(PageGetLSN((Page) page.data));
		nulls[2] = PageIsNew((Page) page.data); /* such a page has no checksum */
		if (!nulls[2])
			values[2] = Int32GetDatum(pg_checksum_page(page.data, block));
		values[3] = Int32GetDatum(((PageHeader) page.data)->pd_checksum);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
