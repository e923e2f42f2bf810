/*-------------------------------------------------------------------------
 *
 * attach.h
 *	  Taking over entries of the server's private tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_ATTACH_H
#define SMGR_ATOMIC_ATTACH_H

#include "compat.h"

/* Members of the storage manager row, in its order: SA_SMGR_write, ... */
#define SA_SMGR_MEMBER(name, function) SA_SMGR_##name,
typedef enum SaSmgrMember
{
	SA_SMGR_ROW(SA_SMGR_MEMBER)
	SA_SMGR_MEMBERS
} SaSmgrMember;

/* Members of the sync row: SA_SYNC_sync, SA_SYNC_unlink, SA_SYNC_matches */
#define SA_SYNC_MEMBER(name, function) SA_SYNC_##name,
typedef enum SaSyncMember
{
	SA_SYNC_ROW(SA_SYNC_MEMBER)
	SA_SYNC_MEMBERS
} SaSyncMember;

/* One entry to take over. */
typedef struct SaSwap
{
	int			member;
	void	   *replacement;
} SaSwap;

extern bool sa_attach(const SaSwap *smgr, int smgr_count,
					  const SaSwap *sync, int sync_count);
extern void sa_attach_verify(void);
extern void sa_attach_failed(const char *why);
extern bool sa_attached(void);
extern const char *sa_attach_reason(void);

#endif							/* SMGR_ATOMIC_ATTACH_H */
