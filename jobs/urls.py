from django.urls import path

from jobs import playback, views

urlpatterns = [
    path("", views.recordings, name="recordings"),
    path("upload", views.upload, name="upload"),
    path("samples/<slug:name>/", views.sample, name="sample"),
    path("jobs/<uuid:job_id>/", views.job, name="job"),
    path("jobs/<uuid:job_id>/transcript/", views.transcript, name="transcript"),
    path("jobs/<uuid:job_id>/cancel/", views.cancel, name="cancel"),
    path("jobs/<uuid:job_id>/again/", views.again, name="again"),
    path("jobs/<uuid:job_id>/part/", views.part, name="part"),
    path("jobs/<uuid:job_id>/keep/", views.keep, name="keep"),
    path("jobs/<uuid:job_id>/delete/", views.delete, name="delete"),
    path("jobs/<uuid:job_id>/download/<slug:format_name>/", views.download, name="download"),
    path("recordings/<uuid:job_id>/media", playback.media, name="media"),
    path("recordings/<uuid:job_id>/captions.vtt", playback.captions, name="captions"),
]
