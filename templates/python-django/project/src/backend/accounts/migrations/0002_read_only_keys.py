from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='read_only',
            field=models.BooleanField(help_text='It opens nothing that changes anything.', null=True),
        ),
    ]
