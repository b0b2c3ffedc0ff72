from tools.release.students_zip import main

main()
