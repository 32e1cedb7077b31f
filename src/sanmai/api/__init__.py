"""What `import sanmai` gives: runs that are started, opened, watched and handed on from Python."""
