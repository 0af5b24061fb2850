"""Operations on a whole installation: backups, what restores them, and the journal held against a copy of it.

Refuses whatever it cannot verify whole before anything is touched.

    Refusal
    ├── BackupRefused    nothing was backed up
    ├── RestoreRefused   nothing was restored: the backup, or where it should go, is not as it must be
    └── ExportRefused    a copy of the journal is none, or not of this installation
"""
