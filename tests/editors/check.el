;;; What a user does with a language server in Emacs; says in JSON what came of it. -*- lexical-binding: t -*-
(require 'eglot)
(require 'json)

(defun check--wait (what condition)
  (with-timeout (60 (error "waited for %s" what))
    (while (not (funcall condition))
      (accept-process-output nil 0.02))))

(defun check--definition (call)
  (with-current-buffer (find-file-noselect "shop.py")
    (check--wait "the server to end" (lambda () (not (eglot-current-server))))
    ;; By default, Emacs goes on without the server after three seconds.
    (let ((eglot-sync-connect 60))
      (apply #'eglot--connect (eglot--guess-contact)))
    (check--wait "the server to manage the buffer" #'eglot-managed-p)
    (goto-char (point-min))
    (search-forward call)
    (backward-char)
    (xref-find-definitions (xref-backend-identifier-at-point (xref-find-backend))))
  (buffer-file-name (window-buffer)))

;; It would connect again by itself to a server that ran for more than three seconds.
(setq eglot-autoreconnect nil)

(let ((definition (check--definition "wanted("))
      (make-backup-files nil)
      hover library after-restart server)
  (with-current-buffer "shop.py"
    (goto-char (point-min))
    (search-forward "wanted(")
    (backward-char)
    (setq server (eglot-current-server))
    (setq hover (format "%s" (jsonrpc-request server :textDocument/hover
                                              (eglot--TextDocumentPositionParams))))
    (goto-char (point-min))
    (search-forward "import o")
    (backward-char)
    (save-current-buffer
      (xref-find-definitions (xref-backend-identifier-at-point (xref-find-backend))))
    (with-current-buffer "os.py"
      (setq library (eq server (eglot-current-server))))
    (goto-char (point-min))
    (search-forward "wanted(")
    (backward-char)
    (let ((eglot-confirm-server-edits nil))
      (eglot-rename "sought")))
  (save-some-buffers t)
  (call-process-shell-command (getenv "RESTART"))
  (find-file "shop.py")
  (setq after-restart (check--definition "sought("))
  (princ (json-encode `((definition . ,definition) (hover . ,hover) (library . ,library)
                        (after_restart . ,after-restart))))
  (terpri)
  (kill-emacs 0))
