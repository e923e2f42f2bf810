/*-------------------------------------------------------------------------
 *
 * repair.h
 *	  Repair before redo: torn pages are made whole from the page journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_REPAIR_H
#define SMGR_ATOMIC_REPAIR_H

extern bool sa_repair(bool clean, bool backup_label, bool checksums, uint64 system_identifier);

#endif							/* SMGR_ATOMIC_REPAIR_H */
