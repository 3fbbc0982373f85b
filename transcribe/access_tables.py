"""For tests: who gets what at every route of the URL conf.

A status, or where somebody is sent: to a sign-in, or onward. `{kind}` stands for each model of that kind in the
administration; the owner's things are asked for. `session` is the owner with a session where only tokens count.
"""

MODELS = {
    "evidence": (
        *(f"jobs/{name}" for name in ("run", "runevent", "window", "worker", "checkpoint", "upload")),
        "accounts/personaltoken",
        "accounts/auditevent",
    ),
    "recording": ("jobs/job",),
    "people": ("accounts/user", "auth/group"),
}
FOR_BROWSERS = """
# route                                             method anonymous stranger owner    disabled staff    superuser
/admin/login/                                       GET    onward   onward   onward   onward   onward   onward
/admin/login/                                       POST   onward   onward   onward   onward   onward   onward
/admin/                                             GET    admin-in admin-in admin-in admin-in 200      200
/admin/                                             POST   admin-in admin-in admin-in admin-in 200      200
/admin/slow/                                        GET    sign-in  404      404      sign-in  404      200
/admin/slow/                                        POST   sign-in  405      405      sign-in  405      405
/admin/logout/                                      GET    admin-in onward   onward   admin-in 405      405
/admin/logout/                                      POST   admin-in onward   onward   admin-in onward   onward
/admin/password_change/                             GET    admin-in admin-in admin-in admin-in 200      200
/admin/password_change/                             POST   admin-in admin-in admin-in admin-in 200      200
/admin/password_change/done/                        GET    admin-in admin-in admin-in admin-in 200      200
/admin/password_change/done/                        POST   admin-in admin-in admin-in admin-in 405      405
/admin/autocomplete/                                GET    admin-in admin-in admin-in admin-in 403      403
/admin/autocomplete/                                POST   admin-in admin-in admin-in admin-in 405      405
/admin/jsi18n/                                      GET    admin-in admin-in admin-in admin-in 200      200
/admin/jsi18n/                                      POST   admin-in admin-in admin-in admin-in 405      405
/admin/r/<path:content_type_id>/<path:object_id>/   GET    admin-in admin-in admin-in admin-in 404      404
/admin/r/<path:content_type_id>/<path:object_id>/   POST   admin-in admin-in admin-in admin-in 404      404
/admin/{people}/                                    GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/                                    POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/add/                                GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/add/                                POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/history/           GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/history/           POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/delete/            GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/delete/            POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/change/            GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/change/            POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{people}/<path:object_id>/                   GET    sign-in  admin-in admin-in sign-in  onward   onward
/admin/{people}/<path:object_id>/                   POST   sign-in  admin-in admin-in sign-in  onward   onward
/admin/accounts/user/<id>/password/                  GET    sign-in  admin-in admin-in sign-in  403      200
/admin/accounts/user/<id>/password/                  POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/                                  GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/                                  POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/add/                              GET    sign-in  admin-in admin-in sign-in  403      403
/admin/{evidence}/add/                              POST   sign-in  admin-in admin-in sign-in  403      403
/admin/{evidence}/<path:object_id>/history/         GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/<path:object_id>/history/         POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/<path:object_id>/delete/          GET    sign-in  admin-in admin-in sign-in  403      403
/admin/{evidence}/<path:object_id>/delete/          POST   sign-in  admin-in admin-in sign-in  403      403
/admin/{evidence}/<path:object_id>/change/          GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{evidence}/<path:object_id>/change/          POST   sign-in  admin-in admin-in sign-in  403      403
/admin/{evidence}/<path:object_id>/                 GET    sign-in  admin-in admin-in sign-in  onward   onward
/admin/{evidence}/<path:object_id>/                 POST   sign-in  admin-in admin-in sign-in  onward   onward
/admin/{recording}/                                 GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/                                 POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/add/                             GET    sign-in  admin-in admin-in sign-in  403      403
/admin/{recording}/add/                             POST   sign-in  admin-in admin-in sign-in  403      403
/admin/{recording}/<path:object_id>/history/        GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/<path:object_id>/history/        POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/<path:object_id>/delete/         GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/<path:object_id>/delete/         POST   sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/<path:object_id>/change/         GET    sign-in  admin-in admin-in sign-in  403      200
/admin/{recording}/<path:object_id>/change/         POST   sign-in  admin-in admin-in sign-in  403      403
/admin/{recording}/<path:object_id>/                GET    sign-in  admin-in admin-in sign-in  onward   onward
/admin/{recording}/<path:object_id>/                POST   sign-in  admin-in admin-in sign-in  onward   onward
/admin/^(?P<app_label>accounts|auth|jobs)/$         GET    admin-in admin-in admin-in admin-in 404      200
/admin/^(?P<app_label>accounts|auth|jobs)/$         POST   admin-in admin-in admin-in admin-in 404      200
/admin/(?P<url>.*)$                                 GET    admin-in admin-in admin-in admin-in 404      404
/admin/(?P<url>.*)$                                 POST   admin-in admin-in admin-in admin-in 404      404
/brand.css                                          GET    200      200      200      200      200      200
/brand.css                                          POST   405      405      405      405      405      405
/brand/logo                                         GET    404      404      404      404      404      404
/brand/logo                                         POST   405      405      405      405      405      405
/appearance/                                        GET    405      405      405      405      405      405
/appearance/                                        POST   onward   onward   onward   onward   onward   onward
/language/                                          GET    onward   onward   onward   onward   onward   onward
/language/                                          POST   onward   onward   onward   onward   onward   onward
/sign-in/                                           GET    200      200      200      200      200      200
/sign-in/                                           POST   200      200      200      200      200      200
/sign-in/link/<str:uid>/<str:token>/                GET    onward   onward   onward   onward   onward   onward
/sign-in/link/<str:uid>/<str:token>/                POST   405      405      405      405      405      405
/account/                                           GET    sign-in  200      200      sign-in  200      200
/account/                                           POST   sign-in  200      200      sign-in  200      200
/account/tokens/<int:pk>/revoke/                    GET    sign-in  405      405      sign-in  405      405
/account/tokens/<int:pk>/revoke/                    POST   sign-in  404      onward   sign-in  404      404
/account/sessions/end-others/                       GET    sign-in  405      405      sign-in  405      405
/account/sessions/end-others/                       POST   sign-in  onward   onward   sign-in  onward   onward
/account/sessions/<str:name>/end/                   GET    sign-in  405      405      sign-in  405      405
/account/sessions/<str:name>/end/                   POST   sign-in  onward   onward   sign-in  onward   onward
/oidc/start/                                        GET    404      404      404      404      404      404
/oidc/start/                                        POST   405      405      405      405      405      405
/oidc/callback/                                     GET    404      404      404      404      404      404
/oidc/callback/                                     POST   405      405      405      405      405      405
/oidc/backchannel-logout/                           GET    405      405      405      405      405      405
/oidc/backchannel-logout/                           POST   404      404      404      404      404      404
/token/                                             GET    405      405      405      405      405      405
/token/                                             POST   401      200      200      401      200      200
/sign-out/                                          GET    405      405      405      405      405      405
/sign-out/                                          POST   onward   onward   onward   onward   onward   onward
/                                                   GET    sign-in  200      200      sign-in  200      200
/                                                   POST   sign-in  405      405      sign-in  405      405
/upload                                             GET    sign-in  200      200      sign-in  200      200
/upload                                             POST   sign-in  405      405      sign-in  405      405
/samples/<slug:name>/                               GET    sign-in  405      405      sign-in  405      405
/samples/<slug:name>/                               POST   sign-in  onward   onward   sign-in  onward   onward
/jobs/<uuid:job_id>/                                GET    sign-in  404      200      sign-in  404      404
/jobs/<uuid:job_id>/                                POST   sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/transcript/                     GET    sign-in  404      200      sign-in  404      404
/jobs/<uuid:job_id>/transcript/                     POST   sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/cancel/                         GET    sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/cancel/                         POST   sign-in  404      onward   sign-in  404      404
/jobs/<uuid:job_id>/again/                          GET    sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/again/                          POST   sign-in  404      onward   sign-in  404      404
/jobs/<uuid:job_id>/part/                           GET    sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/part/                           POST   sign-in  404      onward   sign-in  404      404
/jobs/<uuid:job_id>/keep/                           GET    sign-in  405      405      sign-in  405      405
/jobs/<uuid:job_id>/keep/                           POST   sign-in  404      onward   sign-in  404      404
/jobs/<uuid:job_id>/delete/                         GET    sign-in  404      200      sign-in  404      404
/jobs/<uuid:job_id>/delete/                         POST   sign-in  404      onward   sign-in  404      404
/jobs/<uuid:job_id>/download/<slug:format_name>/    GET    sign-in  404      200      sign-in  404      404
/jobs/<uuid:job_id>/download/<slug:format_name>/    POST   sign-in  405      405      sign-in  405      405
/recordings/<uuid:job_id>/media                     GET    sign-in  404      200      sign-in  404      404
/recordings/<uuid:job_id>/media                     POST   sign-in  405      405      sign-in  405      405
/recordings/<uuid:job_id>/captions.vtt              GET    sign-in  404      200      sign-in  404      404
/recordings/<uuid:job_id>/captions.vtt              POST   sign-in  405      405      sign-in  405      405
"""
FOR_SCRIPTS = """
# route                                         method anonymous stranger owner    disabled staff    superuser session
/api/v1/openapi.json                            GET    200      200      200      200      200      200      200
/api/v1/openapi.json                            POST   200      200      200      200      200      200      200
/api/v1/jobs                                    GET    401      200      200      401      200      200      401
/api/v1/jobs                                    POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>                   GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>                   POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>                   DELETE 401      404      204      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/kept              GET    405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/kept              POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/kept              PUT    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/kept              DELETE 401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/cancel            GET    405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/cancel            POST   401      404      409      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/retry             GET    405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/retry             POST   401      404      201      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/runs              GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/runs              POST   401      404      201      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/runs/<int:number> GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/runs/<int:number> POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/report            GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/report            POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/download          GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/download          POST   405      405      405      405      405      405      405
/api/v1/jobs/<uuidstr:job_id>/transcript        GET    401      404      200      401      404      404      401
/api/v1/jobs/<uuidstr:job_id>/transcript        POST   405      405      405      405      405      405      405
/api/v1/me                                      GET    401      200      200      401      200      200      401
/api/v1/me                                      POST   405      405      405      405      405      405      405
/api/v1/models                                  GET    401      200      200      401      200      200      401
/api/v1/models                                  POST   405      405      405      405      405      405      405
/api/v1/limits                                  GET    401      200      200      401      200      200      401
/api/v1/limits                                  POST   405      405      405      405      405      405      405
/api/v1/                                        GET    404      404      404      404      404      404      404
/api/v1/                                        POST   404      404      404      404      404      404      404
/api/                                           GET    404      404      404      404      404      404      404
/api/                                           POST   404      404      404      404      404      404      404
/v1/models                                      GET    401      200      200      401      200      200      401
/v1/models                                      POST   405      405      405      405      405      405      405
/v1/models/<str:name>                           GET    401      200      200      401      200      200      401
/v1/models/<str:name>                           POST   405      405      405      405      405      405      405
/v1/                                            GET    404      404      404      404      404      404      404
/v1/                                            POST   404      404      404      404      404      404      404
"""
